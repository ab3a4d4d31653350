"""Configuration: TOML decoded into frozen structs; unknown names and wrong types are refused with a hint."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from treering.core.errors import UserError, nearest

if TYPE_CHECKING:
    from pathlib import Path


class Config(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Base of every component's configuration."""


T = TypeVar("T")
_UNKNOWN = re.compile(r"unknown field `([^`]+)`")


def decode(data: Any, kind: type[T], what: str = "configuration") -> T:
    """Return `data` (plain dicts, lists and scalars) as `kind`. Raises `UserError` naming the field."""
    try:
        return msgspec.convert(data, kind)
    except msgspec.ValidationError as error:
        hint = ""
        if (found := _UNKNOWN.search(str(error))) and (fields := getattr(kind, "__struct_fields__", ())):
            hint = nearest(found[1], fields)
        raise UserError(f"{what}: {error}", hint=hint) from error


def read_toml(path: Path) -> dict[str, Any]:
    """Return the tables of the TOML file at `path`. Raises `UserError` when it is missing or malformed."""
    try:
        tables: dict[str, Any] = msgspec.toml.decode(path.read_bytes())
    except FileNotFoundError as error:
        raise UserError(f"no configuration file at {path}") from error
    except msgspec.DecodeError as error:
        raise UserError(f"{path} is not TOML: {error}") from error
    return tables
