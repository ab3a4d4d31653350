"""OpenSearch mappings: from the body of `PUT /{index}` and the columns that records made to a logical schema."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from treering.model.columns import OWN, REST, SYSTEM, Kind, logical, split
from treering.model.schema import DYNAMIC_TYPES, FieldType, StreamSchema

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

# Members of a mapping that are not options, and the names under which a schema adds options of its own.
_OWN = frozenset({"type", "properties", "format", "path", "members", "lists"})


def fields(properties: Mapping[str, Any], prefix: str = "") -> Iterator[FieldType]:
    """Yield the fields of a mapping's `properties`, objects before their members, in order."""
    for name, body in properties.items():
        kind = body.get("type", "object" if "properties" in body else "text")
        options = {key: value for key, value in body.items() if key not in _OWN}
        yield FieldType(prefix + name, kind, (), body.get("format"), body.get("path"), options)
        if "properties" in body:
            yield from fields(body["properties"], f"{prefix}{name}.")


def schema(mappings: Sequence[Mapping[str, Any]], physical: Iterable[str]) -> StreamSchema:
    """Return the schema of streams with these mappings (`{"properties": …}`) and physical columns.

    A field that only we filled is in no object, comes last and is found by name alone (option `own`).
    """
    found: dict[str, FieldType] = {}
    for mapping in mappings:
        for field in fields(mapping.get("properties", {})):
            found.setdefault(field.name, field)
    columns: dict[str, list[str]] = {}
    for name in dict.fromkeys(physical):
        if name not in SYSTEM:
            columns.setdefault(logical(split(name)[0]), []).append(name)
    own = {name: columns.pop(name) for name in list(columns) if _is_own(columns[name]) and name not in found}
    for name, names in columns.items():
        for parent in _parents(name):
            found.setdefault(parent, FieldType(parent, "object"))
        known = found.get(name) or FieldType(name, DYNAMIC_TYPES[split(names[0])[1]])
        found[name] = FieldType(name, known.type, tuple(names), known.format, known.path, known.options)
    found = _with_members(found)
    roots = [name for name in found if _root(name, found) == name]
    top = opensearch_order(roots, several=len(mappings) > 1)
    top.sort(key=lambda name: found[name].type == "alias")
    members: dict[str, list[FieldType]] = {name: [] for name in top}
    for field in found.values():
        members[_root(field.name, found)].append(field)
    last = {name: FieldType(name, _own_type(names), tuple(names), options={"own": True}) for name, names in own.items()}
    return StreamSchema({field.name: field for name in top for field in members[name]} | last)


def _is_own(physical: Iterable[str]) -> bool:
    return all(name.startswith(OWN) for name in physical)


def _own_type(physical: Sequence[str]) -> str:
    kind = split(physical[0])[1]
    return "keyword" if kind is Kind.STRING else DYNAMIC_TYPES[kind]


def _with_members(found: Mapping[str, FieldType]) -> dict[str, FieldType]:
    """Tell objects their members and columns, and members the lists of objects above them."""
    done: dict[str, FieldType] = {}
    below: dict[str, list[str]] = {}
    for name in found:
        parent = name.rpartition(".")[0]
        while parent and parent not in found:
            parent = parent.rpartition(".")[0]
        below.setdefault(parent, []).append(name)

    def finish(name: str, lists: tuple[str, ...]) -> FieldType:
        field = found[name]
        own = tuple(column for column in field.physical if column.endswith(":j"))
        members = tuple(finish(member, lists + own) for member in below.get(name, ()))
        options = dict(field.options)
        physical = dict.fromkeys(field.physical + lists)
        if members:
            options["members"] = members
            physical.update(dict.fromkeys(column for member in members for column in member.physical))
        if members or field.type in {"object", "nested"}:
            physical[REST] = None
        if lists:
            options["lists"] = lists
        done[name] = replace(field, physical=tuple(physical), options=options)
        return done[name]

    for name in below.get("", ()):
        finish(name, ())
    return {name: done[name] for name in found}


def _root(name: str, found: Mapping[str, FieldType]) -> str:
    """Return the outermost object of the schema that holds the field, or the field itself."""
    return next((parent for parent in _parents(name) if parent in found), name)


def opensearch_order(names: Sequence[str], *, several: bool = False) -> list[str]:
    """Return field names in the order in which OpenSearch's PPL shows them: that of a Java HashMap of the names.

    The names go into the table in alphabetical order. One mapping is copied at once into a table of the right size;
    `several` are put in name by name, into a table that starts with 16 places and doubles.
    """
    copied = 1 << max(0, -(-len(names) * 4 // 3) - 1).bit_length()
    return _hashed(sorted(names), _grown(len(names)) if several else copied)


def _grown(count: int) -> int:
    size = 16
    while count > size * 3 // 4:
        size *= 2
    return size


def _hashed(names: Sequence[str], size: int) -> list[str]:
    return sorted(names, key=lambda name: _java_hash(name) & (size - 1))


def _java_hash(text: str) -> int:
    value = 0
    units = text.encode("utf-16-be", "surrogatepass")
    for index in range(0, len(units), 2):
        value = (31 * value + (units[index] << 8 | units[index + 1])) & 0xFFFFFFFF
    return value ^ value >> 16


def _parents(name: str) -> Iterator[str]:
    position = name.find(".")
    while position > 0:
        yield name[:position]
        position = name.find(".", position + 1)
