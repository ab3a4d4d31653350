"""Pipelines between brackets that commands take: searches of their own, and commands over what a command is given."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from treering.query import expressions, printer
from treering.query.lexer import Kind, Mode
from treering.query.syntax import Pipeline

if TYPE_CHECKING:
    from treering.query.compiler import Compiler
    from treering.query.parser import Parser
    from treering.query.relation import Relation


@dataclass(frozen=True, slots=True)
class Bracket:
    """A search of its own; one that begins with `|` or is empty starts from no rows and no columns."""

    pipeline: Pipeline
    empty: bool = False

    def print(self) -> str:
        """Return the search as PPL, brackets included."""
        if not self.empty:
            return f"[ {printer.pipeline(self.pipeline)} ]"
        return f"[ | {printer.pipeline(self.pipeline)} ]" if self.pipeline.commands else "[ ]"

    def relation(self, compiler: Compiler) -> Relation | None:
        """Return the rows, or None where there can be none."""
        if not self.empty:
            return compiler.relation(self.pipeline)
        return _after_nothing(self.pipeline, compiler)


def _after_nothing(pipeline: Pipeline, compiler: Compiler) -> Relation | None:
    """Of commands over nothing only a join that keeps its right side's rows gives any."""
    from treering.query.commands.join import KEEP_RIGHT, Join

    for command in pipeline.commands:
        if isinstance(command, Join):
            command.allowed(compiler)
    for index in range(len(pipeline.commands) - 1, -1, -1):
        command = pipeline.commands[index]
        if isinstance(command, Join) and command.kind in KEEP_RIGHT:
            return compiler.continued(command.right(compiler), pipeline.commands[index + 1 :])
    return None


def read(parser: Parser) -> Bracket:
    """Take a search between brackets."""
    start = parser.position
    parser.expect_op("[")
    if parser.op("]"):
        return Bracket(Pipeline(()), empty=True)
    if parser.peek(Mode.SEARCH).is_op("|") and not _starts(parser):
        parser.position = start
        return Bracket(expressions.subsearch(parser), empty=True)
    parser.position = start
    return Bracket(expressions.subsearch(parser))


def _starts(parser: Parser) -> bool:
    """Whether the word after the pipe begins a search of its own."""
    before = parser.position
    parser.take(Mode.SEARCH)
    following = parser.peek(Mode.SEARCH)
    parser.position = before
    from treering.query.parser import commands

    known = following.kind is Kind.WORD and following.value.lower() in commands()
    return not known or following.is_word("search", "source", "index", "multisearch", "union", "makeresults")
