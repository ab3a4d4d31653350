"""What could be written at a place of a query: commands, fields, functions, streams, values, words."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from treering.core.errors import UserError
from treering.query import aggregates, lexer
from treering.query.parser import commands
from treering.query.scope import functions

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from treering.model.schema import StreamSchema

LIMIT = 50
_WORD = re.compile(r"`[^`]*$|[@\w][\w.@\-]*$")
_SOURCE = re.compile(r"\b(?:source|index)\s*=\s*(?:[\w.*,\s-]*,\s*)?$", re.IGNORECASE)
_NAMED = re.compile(r"\b(?:source|index)\s*=\s*([\w.*-]+(?:\s*,\s*[\w.*-]+)*)", re.IGNORECASE)
_EQUALS = re.compile(r"([@\w][\w.@-]*|`[^`]+`)\s*(?:=|!=|:)\s*(?P<quote>['\"]?)(?P<begun>[^'\"|]*)$")
_AGGREGATING = {"stats", "timechart"}
_FIELDS_ONLY = {"fields", "table", "sort", "dedup", "rename", "top", "rare"}
_WORDS = {
    "search": ("AND", "OR", "NOT", "IN", "earliest=", "latest=", "source="),
    "where": ("and", "or", "not", "in", "between", "like", "is null", "is not null"),
    "eval": ("case(", "cast("),
    "stats": ("by", "as", "span("),
    "timechart": ("span=", "limit=", "useother=", "by"),
    "sort": ("asc", "desc"),
    "dedup": ("keepempty=", "consecutive="),
    "head": ("from",),
    "top": ("by", "countfield=", "showcount="),
    "rare": ("by", "countfield=", "showcount="),
    "rename": ("as",),
}


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A text that may stand there; `kind` is command, field, function, value, stream or keyword."""

    text: str
    kind: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Completion:
    """Suggestions for the characters from `start` to `end`."""

    start: int
    end: int
    suggestions: tuple[Suggestion, ...]


def completions(
    text: str,
    cursor: int,
    *,
    schema: Callable[[Sequence[str]], StreamSchema],
    streams: Callable[[], Iterable[str]],
    values: Callable[[Sequence[str], str], Iterable[str]] | None = None,
    default_source: str = "logs",
) -> Completion:
    """Return what could be written at `cursor`, the likeliest first.

    `schema` answers for streams, `streams` gives their names, `values` the frequent values of a field. A query that is
    wrong elsewhere is no hindrance.
    """
    before = text[: max(0, min(cursor, len(text)))]
    pipe = _last_pipe(before)
    clause = before[pipe:]
    found = _WORD.search(before)
    start = found.start() if found and found.start() >= pipe else len(before)
    word = before[start:].strip("`")
    if _SOURCE.search(before[:start]):
        return _matching(start, len(before), word, (Suggestion(name, "stream") for name in streams()))
    named = _NAMED.search(text)
    sources = tuple(re.split(r"\s*,\s*", named[1])) if named else (default_source,)
    command = _command(clause)
    equal = _EQUALS.search(clause)
    if values is not None and equal and command in {None, "search", "source", "index", "where"}:
        found_values = _values(before, equal, values(sources, equal[1].strip("`")))
        if found_values.suggestions:
            return found_values
    if pipe and (command is None or clause.strip() == word):
        return _matching(start, len(before), word, (Suggestion(name, "command") for name in _command_names()))
    offered = _offered(command or "search", clause[: start - pipe], sources, schema)
    return _matching(start, len(before), word, offered)


def _last_pipe(before: str) -> int:
    """Return where the command at the end begins: after the last pipe that is not inside quotes."""
    position = 0
    for found in re.finditer(r"'(?:\\.|[^'\\])*'|\"(?:\\.|[^\"\\])*\"|`[^`]*`|\||\[", before):
        if found[0] in {"|", "["}:
            position = found.end()
    return position


def _command(clause: str) -> str | None:
    found = re.match(r"\s*([A-Za-z]+)\b", clause)
    return found[1].lower() if found and found[1].lower() in commands() else None


def _command_names() -> list[str]:
    return [name for name in commands() if name not in {"search", "source", "index"}]


def _offered(
    command: str, clause: str, sources: Sequence[str], schema: Callable[[Sequence[str]], StreamSchema]
) -> Iterable[Suggestion]:
    by = re.search(r"\bby\b", clause) is not None
    if command in _AGGREGATING and not by and not clause.rstrip().endswith("("):
        for name in sorted(aggregates.NAMES):
            yield Suggestion(f"{name}(", "function", "aggregate")
    else:
        try:
            for field in schema(sources):
                yield Suggestion(lexer.name(field.name), "field", field.type)
        except UserError:
            pass  # a stream that is not there yet has no fields to offer
        if command not in _FIELDS_ONLY | {"search", "source", "index"} and not by:
            for name, function in functions().items():
                yield Suggestion(f"{name}(", "function", f"{function.least}+ arguments" if function.least else "")
    for word in _WORDS.get(command, _WORDS["search"]):
        yield Suggestion(word, "keyword")


def _values(before: str, equal: re.Match[str], found: Iterable[str]) -> Completion:
    begun, quote = equal["begun"], equal["quote"]
    offered = (Suggestion(lexer.quote(value) if not quote else value, "value") for value in found)
    start = len(before) - len(begun)
    kept = [each for each in offered if each.text.strip("'").lower().startswith(begun.lower())]
    return Completion(start, len(before), tuple(kept[:LIMIT]))


def _matching(start: int, end: int, word: str, offered: Iterable[Suggestion]) -> Completion:
    """Keep what begins with the word, then what contains it."""
    wanted = word.lower()
    ranked: list[tuple[int, Suggestion]] = []
    for suggestion in offered:
        plain = suggestion.text.strip("`").lower()
        if plain.startswith(wanted):
            ranked.append((0, suggestion))
        elif wanted and wanted in plain:
            ranked.append((1, suggestion))
    ranked.sort(key=lambda item: item[0])
    return Completion(start, end, tuple(suggestion for _, suggestion in ranked[:LIMIT]))
