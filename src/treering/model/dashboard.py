"""`Dashboard`: panels of PPL queries over one time range, as a file."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from treering.core.config import Config

Name = Annotated[str, Meta(pattern=r"^[a-z][a-z0-9_]{0,39}$")]


class Variable(Config, frozen=True, kw_only=True):
    """A choice that queries name as `$name`; `query` gives the values: the first column of its rows.

    Without a value (`default` is empty) every pipe step that names the variable is left out.
    """

    name: Name
    title: str = ""
    query: str
    default: str = ""


class Panel(Config, frozen=True, kw_only=True):
    """One query and how its answer is drawn.

    `lines` and `bars` draw columns over the column of time, or a bar a name where there is none; `number` shows the
    first number of the first row; `table` the rows. `unit` says what numbers are: `ns`, `ms`, `s`, `usd`, `bytes`,
    `percent` (0 to 100), `ratio` (0 to 1), else plain. `width` is in quarters of the page. `$span` in a query stands
    for the length of a bucket, `$sample` for a condition that leaves a sample of each bucket where records are many.
    """

    title: str
    query: str
    kind: Literal["lines", "bars", "number", "table"] = "lines"
    unit: Literal["", "ns", "ms", "s", "usd", "bytes", "percent", "ratio"] = ""
    width: Annotated[int, Meta(ge=1, le=4)] = 2
    note: str = ""


class Dashboard(Config, frozen=True, kw_only=True):
    """Panels under one title; the file's name is the dashboard's name."""

    title: str
    about: str = ""
    variables: Annotated[tuple[Variable, ...], Meta(max_length=8)] = ()
    panels: Annotated[tuple[Panel, ...], Meta(min_length=1, max_length=40)]
