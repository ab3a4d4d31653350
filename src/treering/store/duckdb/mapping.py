"""Changing a stream's OpenSearch mapping: fields may be added, never given another type."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from treering.core.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Mapping


def unwrapped(body: Mapping[str, Any]) -> dict[str, Any]:
    """Return the mapping of a request body, with or without the key `mappings` around it."""
    return dict(body.get("mappings", body))


def merged(held: Mapping[str, Any], added: Mapping[str, Any]) -> dict[str, Any]:
    """Return `held` with the fields of `added`. Raises `UserError` when one of them has another type already."""
    return {**held, **added, "properties": _fields(held.get("properties", {}), added.get("properties", {}), "")}


def _fields(held: Mapping[str, Any], added: Mapping[str, Any], prefix: str) -> dict[str, Any]:
    fields = dict(held)
    for name, body in added.items():
        old = fields.get(name)
        if old is None:
            fields[name] = body
            continue
        if _kind(old) != _kind(body):
            raise UserError(
                f"field {prefix + name!r} has type {_kind(old)!r} and cannot become {_kind(body)!r}",
                hint="send the records to another stream",
            )
        fields[name] = {**old, **body}
        if "properties" in old or "properties" in body:
            inner = _fields(old.get("properties", {}), body.get("properties", {}), f"{prefix}{name}.")
            fields[name]["properties"] = inner
    return fields


def _kind(body: Mapping[str, Any]) -> str:
    return str(body.get("type", "object"))
