"""OpenSearch mappings: from the body of `PUT /{index}` and the columns that records made to a logical schema."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from treering.model.columns import SYSTEM, logical, split
from treering.model.schema import DYNAMIC_TYPES, FieldType, StreamSchema

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence


def fields(properties: Mapping[str, Any], prefix: str = "") -> Iterator[FieldType]:
    """Yield the fields of a mapping's `properties`, objects before their members, in order."""
    for name, body in properties.items():
        kind = body.get("type", "object" if "properties" in body else "text")
        options = {key: value for key, value in body.items() if key not in {"type", "properties", "format", "path"}}
        yield FieldType(prefix + name, kind, (), body.get("format"), body.get("path"), options)
        if "properties" in body:
            yield from fields(body["properties"], f"{prefix}{name}.")


def schema(mappings: Sequence[Mapping[str, Any]], physical: Iterable[str]) -> StreamSchema:
    """Return the schema of streams with these mappings (`{"properties": …}`) and physical columns."""
    found: dict[str, FieldType] = {}
    for mapping in mappings:
        for field in fields(mapping.get("properties", {})):
            found.setdefault(field.name, field)
    columns: dict[str, list[str]] = {}
    for name in physical:
        if name in SYSTEM:
            continue
        columns.setdefault(logical(split(name)[0]), [])
        if name not in columns[logical(split(name)[0])]:
            columns[logical(split(name)[0])].append(name)
    for name, names in columns.items():
        for parent in _parents(name):
            found.setdefault(parent, FieldType(parent, "object"))
        known = found.get(name) or FieldType(name, DYNAMIC_TYPES[split(names[0])[1]])
        found[name] = FieldType(name, known.type, tuple(names), known.format, known.path, known.options)
    return StreamSchema(found)


def _parents(name: str) -> Iterator[str]:
    position = name.find(".")
    while position > 0:
        yield name[:position]
        position = name.find(".", position + 1)
