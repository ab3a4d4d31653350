"""Components by name: a component's name is its module's name.

`load("treering.parse", "logfmt")` imports `treering.parse.logfmt` when asked; names that are not ours are looked up
in the entry-point group of the same name, so an installed package can add components without being imported before.
"""

from __future__ import annotations

import functools
import importlib
import importlib.metadata
import pkgutil
from typing import TYPE_CHECKING, Any

from treering.core.errors import UserError, nearest

if TYPE_CHECKING:
    from types import ModuleType

# Extras that are not named after the one component that needs them.
_EXTRAS = {"boto3": "aws", "botocore": "aws"}


@functools.cache
def _points() -> Any:  # EntryPoints from Python 3.12 on, before that a mapping with the same `select`
    """Return the entry points of all installed packages, read once: there are as many files as packages."""
    return importlib.metadata.entry_points()


def names(group: str) -> list[str]:
    """Return the names of the components in `group`, ours and those of installed packages, sorted."""
    package = importlib.import_module(group)
    ours = {module.name for module in pkgutil.iter_modules(package.__path__) if not module.name.startswith("_")}
    theirs = {point.name for point in _points().select(group=group)}
    return sorted(ours | theirs)


def load(group: str, name: str) -> ModuleType:
    """Return the module of component `name` in `group`.

    Raises `UserError` with the nearest known name when there is no such component, or when a component needs an
    extra that is not installed.
    """
    for point in _points().select(group=group, name=name):
        module: ModuleType = point.load()
        return module
    known = names(group)
    if name not in known:
        raise UserError(f"no {group.rsplit('.', 1)[-1]} component named {name!r}", hint=nearest(name, known))
    try:
        return importlib.import_module(f"{group}.{name}")
    except ModuleNotFoundError as error:
        if error.name and error.name.startswith("treering"):
            raise
        raise UserError(
            f"{group}.{name} needs the package {error.name!r}",
            hint=f"pip install 'treering[{_EXTRAS.get(error.name or '', name)}]'",
        ) from error
