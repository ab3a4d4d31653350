"""`treering plugins`: every component there is, ours and those of installed packages."""

from __future__ import annotations

from typing import Annotated

import typer

GROUPS = {
    "receivers": "treering.receive",
    "formats": "treering.parse.formats",
    "stores": "treering.store",
    "commands": "treering.query.commands",
    "functions": "treering.query.functions",
    "detectors": "treering.detect",
    "notifiers": "treering.alert",
}


def plugins(kind: Annotated[str, typer.Argument(help=f"Only one kind: {', '.join(GROUPS)}.")] = "") -> None:
    """List the components of each kind, with the first line of what each says about itself.

    Example: treering plugins receivers
    """
    from treering.cli._screen import safe
    from treering.core import registry
    from treering.core.errors import UserError

    if kind and kind not in GROUPS:
        raise UserError(f"no kind of component named {kind!r}", hint=f"known: {', '.join(GROUPS)}")
    for label, group in GROUPS.items():
        names = registry.names(group)
        if (kind and kind != label) or not names:
            continue
        typer.echo(f"{label} ({group})")
        width = max(map(len, names))
        for name in names:
            try:
                about = (registry.load(group, name).__doc__ or "").strip().partition("\n")[0]
            except UserError as error:  # one whose extra is not installed
                about = f"{error.message}; {error.hint}"
            typer.echo(f"  {name:<{width}}  {safe(about)}")
