"""Configuration: TOML decoded into frozen structs; unknown names and wrong types are refused with a hint."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec
import msgspec.inspect

from treering.core.errors import UserError, nearest

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


class Config(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Base of every component's configuration."""


T = TypeVar("T")
_UNKNOWN = re.compile(r"unknown field `([^`]+)`(?: - at `\$\.?([^`]*)`)?")
_STEP = re.compile(r"[A-Za-z_]\w*|\[")


def decode(data: Any, kind: type[T], what: str = "configuration") -> T:
    """Return `data` (plain dicts, lists and scalars) as `kind`. Raises `UserError` naming the field."""
    try:
        return msgspec.convert(data, kind)
    except msgspec.ValidationError as error:
        if not (found := _UNKNOWN.search(str(error))):
            raise UserError(f"{what}: {error}") from error
        name, place = found[1], found[2] or ""
        fields = _fields(msgspec.inspect.type_info(kind), _STEP.findall(place))
        message = f"{what}: unknown field `{name}`" + (f" in {place}" if place else "")
        raise UserError(message, hint=nearest(name, fields) if fields else "") from error


def _fields(kind: msgspec.inspect.Type, path: Sequence[str]) -> list[str]:
    """Return the names that the table at `path` below `kind` may have: names of fields, and `[` for an item."""
    if isinstance(kind, msgspec.inspect.UnionType):
        return next((found for one in kind.types if (found := _fields(one, path))), [])
    if isinstance(kind, msgspec.inspect.Metadata):
        return _fields(kind.type, path)
    if not path:
        return [field.encode_name for field in kind.fields] if isinstance(kind, msgspec.inspect.StructType) else []
    step, *rest = path
    if isinstance(kind, msgspec.inspect.StructType):
        return next((_fields(field.type, rest) for field in kind.fields if field.encode_name == step), [])
    if isinstance(kind, msgspec.inspect.DictType):
        return _fields(kind.value_type, rest)
    item = getattr(kind, "item_type", None)
    return [] if item is None else _fields(item, rest)


def read_toml(path: Path) -> dict[str, Any]:
    """Return the tables of the TOML file at `path`. Raises `UserError` when it is missing or malformed."""
    try:
        tables: dict[str, Any] = msgspec.toml.decode(path.read_bytes())
    except FileNotFoundError as error:
        raise UserError(f"no configuration file at {path}") from error
    except msgspec.DecodeError as error:
        raise UserError(f"{path} is not TOML: {error}") from error
    return tables
