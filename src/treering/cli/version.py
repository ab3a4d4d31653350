"""`treering version`: what is installed."""

from __future__ import annotations

import platform
from importlib import metadata

import typer

import treering

PARTS = ("duckdb", "arro3-core", "msgspec", "uvicorn", "sqlglot", "h2")


def version() -> None:
    """Show the versions of treering, Python and the libraries that matter.

    Example: treering version
    """
    typer.echo(f"treering {treering.__version__}")
    typer.echo(f"python {platform.python_version()} on {platform.system()} {platform.machine()}")
    for part in PARTS:
        typer.echo(f"{part} {metadata.version(part)}")
