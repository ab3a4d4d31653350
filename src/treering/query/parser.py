"""From PPL text to a pipeline: the reader that commands share, and the pipes between them."""

from __future__ import annotations

import difflib
import functools
import re
import sys
from typing import TYPE_CHECKING, NoReturn

from treering.core import registry
from treering.core.errors import UserError, Where
from treering.query import lexer
from treering.query.lexer import Kind, Mode, Token
from treering.query.syntax import Name, Pipeline

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from treering.query.syntax import Command, Place

MAX_COMMANDS, MAX_DEPTH = 200, 60
_COMMANDS = "treering.query.commands"


@functools.cache
def commands() -> dict[str, Callable[[Parser], Command]]:
    """Return the reader of every command by its name and aliases."""
    found: dict[str, Callable[[Parser], Command]] = {}
    for module_name in registry.names(_COMMANDS):
        module = registry.load(_COMMANDS, module_name)
        for name in module.NAMES:
            found[name] = module.parse
    return found


class Parser:
    """Reads words one after the other; commands call its methods for what they expect."""

    def __init__(self, text: str, default_source: str | None = None) -> None:
        """Start at the beginning of `text`; `default_source` is the stream of a query that names none."""
        if len(text) > lexer.MAX_TEXT:
            raise UserError(f"the query is longer than {lexer.MAX_TEXT} characters")
        self.text = text
        self.default_source = default_source
        self.position = 0
        self.last_end = 0
        self._seen: dict[Mode, dict[int, Token]] = {mode: {} for mode in Mode}
        self._depth = 0
        self._depth_limit = MAX_DEPTH
        self.starting = True  # whether the command being read is its pipeline's first

    # Words

    def peek(self, mode: Mode = Mode.EXPRESSION) -> Token:
        """Return the next word without taking it."""
        seen, position = self._seen[mode], self.position
        if (found := seen.get(position)) is None:
            found = seen[position] = lexer.token(self.text, position, mode)
        return found

    def take(self, mode: Mode = Mode.EXPRESSION) -> Token:
        """Take the next word."""
        found = self.peek(mode)
        self.position = self.last_end = found.end
        return found

    def op(self, *ops: str, mode: Mode = Mode.EXPRESSION) -> str | None:
        """Take the next word if it is one of these operators, and return it."""
        found = self.peek(mode)
        if not found.is_op(*ops):
            return None
        self.position = self.last_end = found.end
        return found.value

    def word(self, *words: str, mode: Mode = Mode.EXPRESSION) -> str | None:
        """Take the next word if it is one of these, and return it in lower case."""
        found = self.peek(mode)
        if not found.is_word(*words):
            return None
        self.position = self.last_end = found.end
        return found.value.lower()

    def expect_op(self, op: str, mode: Mode = Mode.EXPRESSION) -> None:
        """Take the operator. Raises `UserError` when something else stands there."""
        if self.op(op, mode=mode) is None:
            self.fail(f"expected {op!r}", mode=mode)

    def expect_word(self, *words: str) -> str:
        """Take one of the words. Raises `UserError` when something else stands there."""
        found = self.word(*words)
        if found is None:
            self.fail(f"expected {' or '.join(words)}", known=words)
        return found

    def fail(
        self, expected: str, *, known: Sequence[str] = (), mode: Mode = Mode.EXPRESSION, hint: str = ""
    ) -> NoReturn:
        """Raise `UserError` at the next word."""
        found = self.peek(mode)
        what = f"{expected}, found {found.value!r}" if found.kind is not Kind.END else f"{expected}, found the end"
        near = difflib.get_close_matches(found.value.lower(), known, n=1)
        hint = f"did you mean {near[0]!r}?" if near else hint
        raise UserError(what, hint=hint, where=self.where((found.start, found.end)))

    def where(self, place: Place) -> Where:
        """Return `place` as an error shows it."""
        return Where(self.text, min(place[0], len(self.text)), max(1, place[1] - place[0]))

    def at_end(self) -> bool:
        """Whether the command ends here: a pipe, a closing bracket or the end of the text."""
        following = self.peek()
        return following.kind is Kind.END or following.is_op("|", "]")

    def next_is(self, *signs: str) -> bool:
        """Whether the word after the next one is one of these operators."""
        following = self.peek()
        if following.kind is Kind.END:
            return False
        return lexer.token(self.text, following.end, Mode.EXPRESSION).is_op(*signs)

    # What commands are made of

    def field(self) -> Name:
        """Take a field name."""
        start = self.peek().start
        return Name(self._steps(Mode.EXPRESSION), place=(start, self.last_end))

    def pattern(self) -> Name:
        """Take a field name that may contain `*`."""
        start = self.peek(Mode.PATTERN).start
        return Name(self._steps(Mode.PATTERN), place=(start, self.last_end))

    def _steps(self, mode: Mode) -> str:
        prefix = "." if self.op(".", mode=mode) else ""
        steps = [self._step(mode)]
        while self.peek(mode).is_op(".") and self.peek(mode).start == self.last_end:
            self.take(mode)
            steps.append(self._step(mode))
        return prefix + ".".join(steps)

    def _step(self, mode: Mode) -> str:
        found = self.peek(mode)
        quoted = mode is Mode.PATTERN and found.kind is Kind.STRING
        if found.kind in {Kind.NAME, Kind.QUOTED, Kind.NUMBER if mode is Mode.PATTERN else Kind.NAME} or quoted:
            return self.take(mode).value
        return self.fail("expected a field name", mode=mode)

    def names(self, *stops: str) -> tuple[Name, ...]:
        """Take one or more field names, with or without commas between, up to one of the words `stops`."""
        found = [self.field()]
        while self.op(",") or not (self.at_end() or self.peek().is_word(*stops)):
            found.append(self.field())
        return tuple(found)

    def patterns(self) -> tuple[Name, ...]:
        """Take one or more field names or patterns, with or without commas between."""
        found = [self.pattern()]
        while self.op(",", mode=Mode.PATTERN) or not self.at_end():
            found.append(self.pattern())
        return tuple(found)

    def integer(self, what: str = "a whole number") -> int:
        """Take a whole number with an optional sign."""
        sign = self.op("-", "+")
        if self.peek().kind is not Kind.NUMBER or not self.peek().value.isdecimal():
            self.fail(f"expected {what}")
        return int(self.take().value) * (-1 if sign == "-" else 1)

    def boolean(self) -> bool:
        """Take `true` or `false`."""
        return self.expect_word("true", "false") == "true"

    def option(self, *names: str) -> str | None:
        """Take `name =` and return the name, if one of `names` with a sign of equality follows."""
        if self.peek().is_word(*names) and self.next_is("="):
            found = self.take().value.lower()
            self.take()
            return found
        return None

    def descend(self) -> None:
        """Count a level of nesting. Raises `UserError` when there are too many."""
        self._depth += 1
        if self._depth > self._depth_limit:
            self.fail(f"nested deeper than {self._depth_limit} levels")

    def ascend(self) -> None:
        """Leave a level of nesting."""
        self._depth -= 1

    # Pipelines

    def pipeline(self) -> Pipeline:
        """Take a pipeline up to the end of the text or a closing bracket."""
        found: list[Command] = []
        places: list[Place] = []
        self.op("|", mode=Mode.SEARCH)
        first = self._first()
        while True:
            start = self.peek(Mode.SEARCH).start
            self.starting = not found
            if first is not None:
                found.append(first(self))
                first = None
            elif not self.at_end():
                found.append(self._command())
            if len(found) > len(places):
                places.append((start, self.last_end))
            if len(found) > MAX_COMMANDS:
                self.fail(f"more than {MAX_COMMANDS} commands")
            if not self.op("|"):
                break
        return Pipeline(tuple(found), self.text, tuple(places))

    def _first(self) -> Callable[[Parser], Command] | None:
        """Return the reader of a search, unless the pipeline begins with another command."""
        search = commands()["search"]
        following = self.peek(Mode.SEARCH)
        known = commands().get(following.value.lower()) if following.kind is Kind.WORD else None
        if known is None or known is search:
            return search
        # Some commands are also what people search for: `ad clicked` is words, `ad time_field='t'` the command.
        opens: re.Pattern[str] | None = getattr(sys.modules[known.__module__], "OPENS", None)
        return None if opens is None or opens.match(self.text, following.start) else search

    def _command(self) -> Command:
        following = self.peek()
        if following.kind is not Kind.NAME:
            self.fail("expected a command", hint="a command follows each |, such as where, stats or sort")
        reader = commands().get(following.value.lower())
        if reader is None or reader is commands()["search"]:
            near = difflib.get_close_matches(following.value.lower(), commands(), n=1)
            raise UserError(
                f"unknown command {following.value!r}" if reader is None else "search can only come first",
                hint=f"did you mean {near[0]!r}?" if near and reader is None else "",
                where=self.where((following.start, following.end)),
            )
        self.take()
        return reader(self)


def parse(text: str, default_source: str | None = "logs") -> Pipeline:
    """Return the pipeline that `text` says. Raises `UserError` with the place of the first mistake.

    With `default_source` None a query that names no stream is a mistake.
    """
    parser = Parser(text.rstrip().rstrip(";"), default_source)
    try:
        found = parser.pipeline()
    except RecursionError:
        raise UserError("the query is nested too deeply") from None
    if parser.peek().kind is not Kind.END:
        parser.fail("expected | or the end")
    return found
