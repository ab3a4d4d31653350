"""`show datasources`: where streams can come from; the store is the only one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from treering.core.errors import UserError
from treering.query import unions, values
from treering.query.types import Type

if TYPE_CHECKING:
    from treering.query.compiler import Compiler
    from treering.query.parser import Parser
    from treering.query.relation import Relation

NAMES = ("show",)
COLUMNS = {"DATASOURCE_NAME": Type.STRING, "CONNECTOR_TYPE": Type.STRING}


@dataclass(frozen=True, slots=True)
class Show:
    """The command takes nothing."""

    starts: ClassVar[bool] = True

    def print(self) -> str:
        """Return the command as PPL."""
        return "show datasources"

    def lower(self, relation: Relation, compiler: Compiler) -> Relation:
        """Return the name under which OpenSearch's clients know the store."""
        if unions.present(relation):
            raise UserError("show can only come first")
        return values.table(COLUMNS, [["@opensearch", "OPENSEARCH"]], compiler)


def parse(parser: Parser) -> Show:
    """Read what follows `show`."""
    parser.expect_word("datasources")
    return Show()
