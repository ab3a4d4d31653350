"""`explain [standard|simple|cost|extended|analyze] <query>`: how the query is answered, instead of its answer.

`simple` says what is read, `standard` also the engine's steps, `cost` also estimates of rows and bytes, `extended` also
the SQL. `analyze`, which OpenSearch lacks, runs the query and says what each step took.

Arguments:
    standard: how much is said: simple, standard, cost, extended or analyze; standard if not said
    query: a whole query

Example:
    explain cost source=logs | where severityText = 'ERROR' | stats count() by serviceName
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from treering.query import printer
from treering.query.commands.describe import table
from treering.query.syntax import Pipeline
from treering.query.types import Type

if TYPE_CHECKING:
    from treering.query.compiler import Compiler
    from treering.query.parser import Parser
    from treering.query.relation import Relation

NAMES = ("explain",)
MODES = ("standard", "simple", "cost", "extended", "analyze")
COLUMN = "plan"


@dataclass(frozen=True, slots=True)
class Explain:
    """The query to be explained, and how much is wanted."""

    inner: Pipeline
    mode: str = "standard"

    starts: ClassVar[bool] = True

    def print(self) -> str:
        """Return the command as PPL."""
        mode = "" if self.mode == "standard" else f"{self.mode} "
        return f"explain {mode}{printer.pipeline(self.inner)}"

    def lower(self, relation: Relation, compiler: Compiler) -> Relation:
        """Return the plan line by line, as far as it is known without the store (`treering.api.plan` asks that too)."""
        from treering.query.compiler import Compiler as Other
        from treering.query.explain import explain

        del relation
        other = Other(
            self.inner,
            schema=compiler.schema,
            context=compiler.context,
            default_source=compiler.default_source,
            time_range=compiler.time_range,
        )
        lines = explain(other.query(other.subsearch_rows), mode=self.mode).splitlines()
        return table({COLUMN: Type.STRING}, [{COLUMN: line} for line in lines], compiler)


def parse(parser: Parser) -> Explain:
    """Read what follows `explain`: a mode if there is one, and a whole query."""
    if not parser.starting:
        parser.fail("explain can only come first")
    mode = parser.word(*MODES) or "standard"
    parser.descend()
    inner = parser.pipeline()
    parser.ascend()
    return Explain(inner, mode)
