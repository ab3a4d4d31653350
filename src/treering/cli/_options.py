"""The options that several commands share."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

Data = Annotated[Path | None, typer.Option("--data", help="Data directory.", show_default="treering-data")]
Config = Annotated[
    Path | None, typer.Option("--config", help="Configuration file.", show_default="./treering.toml if there is one")
]
From = Annotated[str | None, typer.Option("--from", help="Start, included: 2026-11-24T08:00:00Z or now-15m.")]
To = Annotated[str | None, typer.Option("--to", help="End, not included.")]


class Format(StrEnum):
    """How rows are written."""

    TABLE = "table"
    JSON = "json"
    NDJSON = "ndjson"
    CSV = "csv"
    ARROW = "arrow"


class Report(StrEnum):
    """How a report is written."""

    TEXT = "text"
    JSON = "json"
