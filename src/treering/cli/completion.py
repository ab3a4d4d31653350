"""`treering completion`: the script by which a shell completes commands and options."""

from __future__ import annotations

import enum
from typing import Annotated

import typer
from typer.completion import get_completion_script  # type: ignore[attr-defined]  # it is there, not declared

PROGRAM = "treering"
VARIABLE = "_TREERING_COMPLETE"


class Shell(enum.StrEnum):
    """The shells that have a script."""

    BASH = "bash"
    ZSH = "zsh"
    FISH = "fish"


def completion(shell: Annotated[Shell, typer.Argument(help="the shell it is for")]) -> None:
    """Print the script by which a shell completes commands and options: source <(treering completion bash).

    Example: treering completion bash
    """
    typer.echo(get_completion_script(prog_name=PROGRAM, complete_var=VARIABLE, shell=shell.value))
