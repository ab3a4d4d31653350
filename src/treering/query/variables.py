"""`$name` in the text of a query: replaced by a literal, or its whole pipe step left out."""

from __future__ import annotations

import itertools
import re
from typing import TYPE_CHECKING

from treering.core.errors import UserError
from treering.query.lexer import quote

if TYPE_CHECKING:
    from collections.abc import Mapping

# Texts between quotes and comments keep what looks like a variable in them.
_TOKEN = re.compile(
    r"""(?P<kept>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|`[^`]*`|//[^\n]*|/\*.*?\*/)|\$(?P<name>[a-z][a-z0-9_]*)|(?P<pipe>\|)""",
    re.DOTALL,
)


def filled(text: str, values: Mapping[str, str], sizes: Mapping[str, str] | None = None) -> str:
    """Return the PPL `text` with every `$name` as the quoted text `values` gives for it.

    A pipe step that names a variable with an empty value is left out; in the first step the variable's absence is an
    error. `sizes` are written as they are (`5m`). Raises `UserError` for a variable that neither has.
    """
    steps = [_step(step, values, sizes or {}) for step in _steps(text)]
    if steps[0] is None:
        raise UserError("the first step of a query cannot depend on a variable", hint="filter after a pipe")
    return " | ".join(step for step in steps if step is not None)


def names(text: str) -> set[str]:
    """Return the variables that `text` names."""
    return {found["name"] for found in _TOKEN.finditer(text) if found["name"]}


def _steps(text: str) -> list[str]:
    """Return the parts between the pipes of `text`; those within subsearches separate steps too, which is harmless
    as long as no variable stands in one."""
    cuts = [found.start() for found in _TOKEN.finditer(text) if found["pipe"]]
    bounds = [-1, *cuts, len(text)]
    return [text[start + 1 : end].strip() for start, end in itertools.pairwise(bounds)]


def _step(text: str, values: Mapping[str, str], sizes: Mapping[str, str]) -> str | None:
    used = names(text)
    if unknown := sorted(used - values.keys() - sizes.keys()):
        raise UserError(f"unknown variable ${unknown[0]}", hint=f"known: {', '.join(sorted({*values, *sizes}))}")
    if any(not values[name] for name in used if name in values):
        return None

    def write(found: re.Match[str]) -> str:
        name = found["name"]
        if not name:
            return found[0]
        return quote(values[name]) if name in values else sizes[name]

    return _TOKEN.sub(write, text)
