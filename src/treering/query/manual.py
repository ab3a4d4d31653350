"""What commands and functions say about themselves: syntax, arguments, examples.

A command is described by the docstring of its file: a first line with its syntax between backticks and what it does,
then text, then the parts `Syntax:`, `Arguments:` and `Example:`. Functions are described by `content/functions.json`.
"""

from __future__ import annotations

import functools
import inspect
import re
from dataclasses import dataclass
from importlib import resources
from typing import TYPE_CHECKING

import msgspec

from treering.core import registry
from treering.query.scope import functions

if TYPE_CHECKING:
    from collections.abc import Mapping

_COMMANDS = "treering.query.commands"
_PART = re.compile(r"^(Syntax|Arguments|Example):\n((?:    .*\n|\n)*)", re.MULTILINE)
_OPTION = re.compile(r"\b([a-z_]+)=")


@dataclass(frozen=True, slots=True)
class Help:
    """How a command or a function is written and what it does; `kind` is "command", "function" or "aggregate"."""

    name: str
    kind: str
    summary: str
    syntax: tuple[str, ...]
    arguments: tuple[tuple[str, str], ...] = ()
    examples: tuple[str, ...] = ()
    about: str = ""
    answer: str = ""

    @property
    def options(self) -> tuple[str, ...]:
        """The names that are written with `=`."""
        found = dict.fromkeys(name for line in self.syntax for name in _OPTION.findall(line))
        named = {name for name, _ in self.arguments}
        return tuple(found if "<option>" not in "".join(self.syntax) else dict.fromkeys([*found, *sorted(named)]))

    def text(self) -> str:
        """Return it as a person reads it on a terminal."""
        lines = [f"{self.name}: {self.summary}", "", *(f"  {line}" for line in self.syntax)]
        if self.about:
            lines += ["", self.about]
        if self.arguments:
            width = max(len(name) for name, _ in self.arguments)
            lines += ["", *(f"  {name.ljust(width)}  {text}" for name, text in self.arguments)]
        if self.examples:
            given = f"  gives {self.answer}" if self.answer else ""
            lines += ["", "Example:", *(f"  {line}{given}" for line in self.examples)]
        return "\n".join(lines)


class Entry(msgspec.Struct, frozen=True):
    """A line of `content/functions.json`; `answer` is JSON, empty where it is not always the same."""

    names: tuple[str, ...]
    family: str
    gives: str
    example: str
    answer: str


@functools.cache
def entries() -> tuple[Entry, ...]:
    """Return the descriptions of all functions, aggregates included."""
    data = resources.files("treering.content").joinpath("functions.json").read_bytes()
    return msgspec.json.decode(data, type=tuple[Entry, ...])


@functools.cache
def commands() -> Mapping[str, Help]:
    """Return what every command says, by each of its names."""
    found: dict[str, Help] = {}
    for module_name in registry.names(_COMMANDS):
        module = registry.load(_COMMANDS, module_name)
        for name in module.NAMES:
            found[name] = _command(name, inspect.cleandoc(module.__doc__ or "") + "\n")
    return found


@functools.cache
def calls() -> Mapping[str, Help]:
    """Return what every function and aggregate says, by each of its names."""
    return {name: _function(name, entry) for entry in entries() for name in entry.names}


def of(name: str) -> Help | None:
    """Return what a command says, else what a function of the name says, or None."""
    return commands().get(name.lower()) or calls().get(name.lower())


def _command(name: str, doc: str) -> Help:
    first, _, rest = doc.partition("\n")
    head, _, summary = first.rpartition("`: ")
    parts = {title: [line[4:] for line in body.splitlines() if line.strip()] for title, body in _PART.findall(rest)}
    syntax = parts.get("Syntax") or [head.split("`")[1]]
    arguments = tuple((line.partition(": ")[0], line.partition(": ")[2]) for line in parts.get("Arguments", []))
    about = _PART.sub("", rest).strip()
    return Help(name, "command", summary, tuple(syntax), arguments, tuple(parts.get("Example", [])), about)


def _function(name: str, entry: Entry) -> Help:
    known = functions().get(name) if entry.family != "Aggregates" else None
    kind = "aggregate" if known is None else "function"
    if known is None or known.most is None:
        syntax = f"{name}(…)"
    else:
        places = [f"x{index + 1}" for index in range(known.least)] + ["…"] * (known.most > known.least)
        syntax = f"{name}({', '.join(places)})"
    about = (
        f"Also written {', '.join(other for other in entry.names if other != name)}." if len(entry.names) > 1 else ""
    )
    examples = (entry.example,) if entry.example else ()
    return Help(name, kind, entry.gives, (syntax,), (), examples, about, entry.answer)
