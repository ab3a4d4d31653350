"""A pipeline from its source to its last command."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from treering.testing.rowwise.commands import COMMANDS, WITH_OTHER, word

if TYPE_CHECKING:
    from collections.abc import Mapping

    from treering.query.syntax import Pipeline
    from treering.testing.rowwise.table import Table


def run(pipeline: Pipeline, tables: Mapping[str, Table]) -> Table:
    """Return what a pipeline makes of tables. Raises `NotImplementedError` for a command that is not known here."""
    first, *rest = pipeline.commands
    table = tables[_source(first)]
    for command in rest:
        name = word(command)
        if name in WITH_OTHER:
            table = WITH_OTHER[name](table, command, _other(command, tables))
        elif name in COMMANDS:
            table = COMMANDS[name](table, command)
        else:
            raise NotImplementedError(f"{name} is not done row by row")
    return table


def _source(search: Any) -> str:
    (name,) = search.sources
    return str(name)


def _other(command: Any, tables: Mapping[str, Table]) -> Table:
    """Return the rows beside: of a stream by name, or of a search in brackets."""
    dataset = getattr(command, "dataset", None)
    if dataset is not None and dataset.streams:
        return tables[dataset.streams[0]]
    bracket = command.bracket if dataset is None else dataset.bracket
    return run(bracket.pipeline, tables)
