"""From physical columns to the logical, typed columns that a scan hands to a query."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from sqlglot import exp

from treering.model import dateformats
from treering.model.columns import ID, REST, SEQUENCE, TIME, Kind, logical, of_sender, split
from treering.query.coerce import data_type
from treering.query.types import SQL, Type, type_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from treering.model.schema import FieldType

# The kinds whose values need no conversion for a type come first: values are tried in this order.
_ORDER = (Kind.TIME, Kind.STRING, Kind.LONG, Kind.DOUBLE, Kind.BOOLEAN, Kind.JSON)
_INSTANTS = (Type.TIMESTAMP, Type.DATE, Type.TIME)
_DOCUMENTS = (Type.STRUCT, Type.ARRAY)
_DEEPEST = 16
MEMBERS_APART = "treering_members_apart"
_TABLE = {ID: "VARCHAR", SEQUENCE: "BIGINT", TIME: "TIMESTAMP_NS"}
_SAME = {
    Kind.LONG: ("BIGINT",),
    Kind.DOUBLE: ("DOUBLE",),
    Kind.BOOLEAN: ("BOOLEAN",),
    Kind.TIME: ("TIMESTAMP_NS",),
    Kind.STRING: ("VARCHAR",),
}


def column(field: FieldType, available: Collection[str], stream: str, *, apart: bool = False) -> exp.Expression:
    """Return the SQL expression of `field` over a table that has the physical columns `available`.

    With `apart` an object has more members in `_rest`, which are read from there all at once.
    """
    if field.name in {ID, SEQUENCE, TIME}:
        return _named(field.name) if field.name in available else _null(_TABLE[field.name])
    if field.name == "_index":
        return exp.Literal.string(stream)
    kind = type_of(field)
    if kind in _DOCUMENTS:
        return _document(field, available, stream, apart=apart and REST in available)
    if kind is Type.GEO_POINT:
        return _point(field, available)
    target = "JSON" if field.holds_lists and kind not in _INSTANTS else SQL[kind]
    present = [name for name in field.physical if name in available and _pointer_name(name) == field.name]
    present.sort(key=lambda name: (of_sender(name), _ORDER.index(Kind(name[-1]))))
    parts = [_converted(name, target, field, kind) for name in present]
    parts.extend(_in_list(field, parent, target) for parent in field.options.get("lists", ()) if parent in available)
    if not parts and "value" in field.options and field.type == "constant_keyword":
        return exp.Literal.string(str(field.options["value"]))
    return _first(parts) or _null(target)


def is_document(field: FieldType) -> bool:
    """Whether a field is an object or a list, put together from what is below it."""
    return type_of(field) in _DOCUMENTS


def _first(parts: list[exp.Expression]) -> exp.Expression | None:
    if not parts:
        return None
    return parts[0] if len(parts) == 1 else exp.Coalesce(this=parts[0], expressions=parts[1:])


def _null(target: str) -> exp.Expression:
    return _cast(exp.Null(), target)


def _cast(value: exp.Expression, target: str, *, safe: bool = False) -> exp.Expression:
    return (exp.TryCast if safe else exp.Cast)(this=value, to=data_type(target))


def _call(name: str, *args: exp.Expression) -> exp.Expression:
    return exp.Anonymous(this=name, expressions=list(args))


def _pointer_name(physical: str) -> str:
    return logical(split(physical)[0]) if ":" in physical else physical


def _converted(name: str, target: str, field: FieldType, kind: Type) -> exp.Expression:
    stored = Kind(name[-1])
    value: exp.Expression = _named(name)
    if kind in _INSTANTS and stored is not Kind.TIME:
        return _instant(value, stored, field, kind)
    if kind is Type.IP and stored is Kind.STRING and target != "JSON":
        # An IPv4 address mapped into IPv6 is that address.
        mapped = exp.Literal.string(r"^::ffff:(\d+\.\d+\.\d+\.\d+)$")
        return _call("regexp_replace", _call("lower", value), mapped, exp.Literal.string(r"\1"))
    if target == "JSON":
        return _cast(value, "JSON") if stored is Kind.JSON else _call("to_json", value)
    if target in _SAME.get(stored, ()):
        return value
    if stored is Kind.DOUBLE and target in {"TINYINT", "SMALLINT", "INTEGER", "BIGINT"}:
        value = _call("trunc", value)
    if stored is Kind.TIME and target in {"DATE", "TIME_NS"}:
        return _cast(value, target)
    return _cast(value, target, safe=True)


def _instant(value: exp.Expression, stored: Kind, field: FieldType, kind: Type) -> exp.Expression:
    """Read a date by the formats of its mapping; the first that fits counts."""
    formats = dateformats.read(field.format or "strict_date_optional_time||epoch_millis")
    text = _cast(value, "VARCHAR")
    parts = [found for _, pattern in formats if (found := _by_format(value, text, stored, pattern)) is not None]
    if not parts and stored is Kind.JSON:
        return _null(SQL[kind])
    found = _first(parts) or _null("TIMESTAMP_NS")
    return found if kind is Type.TIMESTAMP else _cast(found, SQL[kind])


def _by_format(value: exp.Expression, text: exp.Expression, stored: Kind, pattern: str) -> exp.Expression | None:
    if pattern in {dateformats.MILLIS, dateformats.SECONDS}:
        unit = 10**6 if pattern == dateformats.MILLIS else 10**9
        number = _cast(value, "DECIMAL(28, 9)", safe=True) if stored is not Kind.LONG else value
        scaled = exp.Mul(this=number, expression=exp.Literal.number(unit))
        return _call("make_timestamp_ns", _cast(exp.Paren(this=scaled), "BIGINT", safe=True))
    if stored in {Kind.DOUBLE, Kind.BOOLEAN} or not pattern:
        return None
    if pattern == dateformats.ISO:
        dashed = _call("contains", text, exp.Literal.string("-"))
        return exp.Case(ifs=[exp.If(this=dashed, true=_zoned(text))])
    return _cast(_call("try_strptime", text.copy(), exp.Literal.string(pattern)), "TIMESTAMP_NS", safe=True)


def _zoned(text: exp.Expression) -> exp.Expression:
    """Read ISO 8601 with an offset: the cast to nanoseconds would ignore it."""
    offset = exp.Literal.string(r"[T ].*([+-])(\d\d):?(\d\d)$")
    stamp = _cast(text.copy(), "TIMESTAMP_NS", safe=True)
    hours, minutes = (
        _cast(_call("regexp_extract", text.copy(), offset.copy(), exp.Literal.number(group)), "INTEGER", safe=True)
        for group in (2, 3)
    )
    total = exp.Add(this=exp.Mul(this=hours, expression=exp.Literal.number(60)), expression=minutes)
    east = exp.EQ(
        this=_call("regexp_extract", text.copy(), offset.copy(), exp.Literal.number(1)),
        expression=exp.Literal.string("+"),
    )
    back = _call("to_minutes", exp.Paren(this=total))
    shifted = exp.Case(
        ifs=[exp.If(this=east, true=exp.Sub(this=stamp.copy(), expression=back))],
        default=exp.Add(this=stamp.copy(), expression=back.copy()),
    )
    has = _call("regexp_matches", text.copy(), offset.copy())
    return exp.Case(ifs=[exp.If(this=has, true=shifted)], default=stamp)


def _point(field: FieldType, available: Collection[str]) -> exp.Expression:
    """A place as {lat, lon}, from an object, a text (`lat,lon`, `POINT (lon lat)`, a geohash), or a list [lon, lat]."""
    parts: list[exp.Expression] = []
    members = {member.name.rpartition(".")[2]: member for member in field.options.get("members", ())}
    if {"lat", "lon"} <= members.keys():
        parts.append(_lat_lon(*(column(members[name], available, "") for name in ("lat", "lon"))))
    for name in field.physical:
        if name in available and name.endswith("/coordinates:j"):
            value = _cast(_named(name), "JSON")
            parts.append(
                _lat_lon(*(_call("json_extract_string", value, exp.Literal.string(f"$[{g}]")) for g in (1, 0)))
            )
        if name not in available or _pointer_name(name) != field.name:
            continue
        if name.endswith(":s"):
            plain = exp.Literal.string(r"^\s*(-?[\d.]+)\s*,\s*(-?[\d.]+)\s*$")
            known = exp.Literal.string(r"^POINT\s*\(\s*(-?[\d.]+)\s+(-?[\d.]+)\s*\)$")
            parts.append(
                _lat_lon(*(_call("regexp_extract", _named(name), plain, exp.Literal.number(g)) for g in (1, 2)))
            )
            parts.append(
                _lat_lon(*(_call("regexp_extract", _named(name), known, exp.Literal.number(g)) for g in (2, 1)))
            )
            parts.append(_cast(_call("ppl_geohash", _named(name)), "JSON"))
        elif name.endswith(":j"):
            value = _cast(_named(name), "JSON")
            parts.append(
                _lat_lon(*(_call("json_extract_string", value, exp.Literal.string(f"$[{g}]")) for g in (1, 0)))
            )
    return _first(parts) or _null("JSON")


def _lat_lon(lat: exp.Expression, lon: exp.Expression) -> exp.Expression:
    numbers = [_cast(part, "DOUBLE", safe=True) for part in (lat, lon)]
    made = _call("json_object", exp.Literal.string("lat"), numbers[0], exp.Literal.string("lon"), numbers[1])
    known = exp.Not(this=exp.Paren(this=exp.Is(this=numbers[0].copy(), expression=exp.Null())))
    return exp.Case(ifs=[exp.If(this=known, true=made)])


def _in_list(field: FieldType, parent: str, target: str) -> exp.Expression:
    """The first value under this name in a list of objects."""
    below = field.name[len(_pointer_name(parent)) + 1 :]
    steps = "".join(f'."{step}"' for step in below.split("."))
    found = _call("json_extract", _cast(_named(parent), "JSON"), exp.Literal.string(f"$[*]{steps}"))
    first = _call("list_extract", found, exp.Literal.number(1))
    if target == "JSON":
        return first
    text = _call("json_extract_string", first, exp.Literal.string("$"))
    return _cast(text, target, safe=True)


def _document(field: FieldType, available: Collection[str], stream: str, *, apart: bool) -> exp.Expression:
    """An object put together from the columns of its members, or the list or empty object that its sender wrote."""
    own = [name for name in field.physical if name in available and _pointer_name(name) == field.name]
    parts = [_cast(_named(name), "JSON") if name.endswith(":j") else _call("to_json", _named(name)) for name in own]
    pairs: list[exp.Expression] = []
    for member in _members(field):
        if any(name in available and name != REST for name in member.physical):
            value = column(member, available, stream)
            if type_of(member) in _INSTANTS:
                value = _cast(value, "VARCHAR")
            pairs += [exp.Literal.string(member.name[len(field.name) + 1 :]), value]
    if pairs or apart:
        # A merge patch leaves out the members that are null (RFC 7396).
        empty: exp.Expression = exp.Literal.string("{}")
        if apart:
            others = _cast(_call(MEMBERS_APART, _named(REST), exp.Literal.string(field.name)), "JSON")
            empty = exp.Coalesce(this=others, expressions=[empty])
        merged = _call("json_merge_patch", empty, _call("json_object", *pairs))
        made = _filled(merged)
        if field.type == "nested":
            item = exp.to_identifier("w")
            wrap = exp.Lambda(this=_call("json_array", exp.column(item.copy())), expressions=[item])
            made = _call("list_transform", made, wrap)
        made = _call("list_extract", made, exp.Literal.number(1))
        parts.append(made)
    if REST in available:
        pointer = field.name.replace(".", "/").replace('"', "")
        left = _call("json_extract", _named(REST), exp.Literal.string(f'$."{pointer}"'))
        parts.append(exp.Nullif(this=left, expression=_cast(exp.Literal.string("null"), "JSON")))
    return _first(parts) or _null("JSON")


def _filled(value: exp.Expression) -> exp.Expression:
    """A list of an object, of none if it is empty.

    `nullif` would write its value twice, and so each level of an object double the statement.
    """
    item = exp.to_identifier("v")
    is_filled = exp.NEQ(this=exp.column(item.copy()), expression=_cast(exp.Literal.string("{}"), "JSON"))
    return _call("list_filter", exp.Array(expressions=[value]), exp.Lambda(this=is_filled, expressions=[item]))


def _members(field: FieldType) -> Iterator[FieldType]:
    """Yield what an object is put together from: its members, or, deep down, the values below them.

    Their names have dots then, which says the same of an object; a statement that nested as deep as a hostile record
    could not be written.
    """
    is_deep = field.name.count(".") >= _DEEPEST
    waiting = list(field.options.get("members", ()))[::-1]
    while waiting:
        member = waiting.pop()
        if member.name.endswith("."):
            continue  # OpenSearch has no field of such a name, and leaves it out where it lets objects have any names
        below = member.options.get("members", ()) if is_deep else ()
        waiting += list(below)[::-1]
        yield replace(member, options={**member.options, "members": ()}) if below else member


def _named(name: str) -> exp.Column:
    return exp.column(exp.to_identifier(name, quoted=True))
