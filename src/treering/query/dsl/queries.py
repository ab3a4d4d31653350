"""Queries of the DSL as full-text queries."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from treering.core.errors import UserError
from treering.model.times import format_ns
from treering.query import instants, querystring
from treering.query.dsl.leaves import KEYWORD, Ids, Over, Pattern, Terms, from_lucene, text, texts, wildcards
from treering.query.lucene import Boolean, Clause, Everything, Exists, Query, Range, Words
from treering.query.minimum import least_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Reader = Callable[[Any, int], Query]

MAX_DEPTH = 20
MAX_CLAUSES = 1024
MAX_TERMS = 65_536
NOTHING = Boolean((Clause("not", Everything()),))
_AUTO = 9
_OCCUR = {"must": "must", "filter": "must", "should": "should", "must_not": "not"}
_SECOND = 1_000_000_000


def query(body: Any, now_ns: int, depth: int = 0) -> Query:
    """Return the query that `body` (an object with one key, or None for all) means. Raises `UserError`."""
    if body is None or body == {}:
        return Everything()
    if not isinstance(body, dict) or len(body) != 1:
        raise UserError("a query is an object with one key, its kind")
    if depth > MAX_DEPTH:
        raise UserError(f"queries are nested deeper than {MAX_DEPTH}")
    ((kind, params),) = body.items()
    if kind in _NESTING:
        return _NESTING[kind](params, now_ns, depth + 1)
    reader = _READERS.get(kind)
    if reader is None:
        known = ", ".join(sorted((*_READERS, *_NESTING)))
        raise UserError(f"unknown query [{str(kind)[:80]}]", hint=f"supported: {known}")
    return reader(params, now_ns)


def _object(params: Any, kind: str) -> Mapping[str, Any]:
    if not isinstance(params, dict):
        raise UserError(f"[{kind}] query malformed, an object is expected")
    return params


def _one(params: Any, kind: str, value: str) -> tuple[str, dict[str, Any]]:
    """Return field and options of `{field: value}` or `{field: {…}}`; the bare value is put under `value`."""
    fields = {name: held for name, held in _object(params, kind).items() if name not in {"boost", "_name"}}
    if len(fields) != 1:
        raise UserError(f"[{kind}] query takes exactly one field")
    ((field, options),) = fields.items()
    return field, dict(options) if isinstance(options, dict) else {value: options}


def _bool(params: Any, now_ns: int, depth: int) -> Query:
    clauses: list[Clause] = []
    options = _object(params, "bool")
    for name, occur in _OCCUR.items():
        found = options.get(name, [])
        given = found if isinstance(found, list) else [found]
        clauses += [Clause(occur, query(one, now_ns, depth)) for one in given]
    if len(clauses) > MAX_CLAUSES:
        raise UserError(f"a bool query has at most {MAX_CLAUSES} clauses")
    if unknown := set(options) - {*_OCCUR, "minimum_should_match", "boost", "_name", "adjust_pure_negative"}:
        raise UserError(f"[bool] query does not support [{min(unknown)[:80]}]")
    optional = sum(clause.occur == "should" for clause in clauses)
    least = options.get("minimum_should_match")
    if least is None:
        return Boolean(tuple(clauses))
    return Boolean(tuple(clauses), 0 if str(least).strip() == "0" else least_of(str(least), max(1, optional)))


def _constant(params: Any, now_ns: int, depth: int) -> Query:
    return query(_object(params, "constant_score").get("filter"), now_ns, depth)


def _best(params: Any, now_ns: int, depth: int) -> Query:
    queries = _object(params, "dis_max").get("queries", [])
    return Boolean(tuple(Clause("should", query(one, now_ns, depth)) for one in queries))


def _term(params: Any, _now: int) -> Query:
    field, options = _one(params, "term", "value")
    value = text(options.get("value"))
    return Ids((value,)) if field == "_id" else Terms(field, (value,), bool(options.get("case_insensitive")))


def _terms(params: Any, _now: int) -> Query:
    field, options = _one(params, "terms", "value")
    values = options.get("value")
    if not isinstance(values, list):
        raise UserError("[terms] query takes a list of values", hint="terms lookup is not supported")
    if len(values) > MAX_TERMS:
        raise UserError(f"[terms] query takes at most {MAX_TERMS} values")
    if not values:
        return NOTHING
    return Ids(texts(values)) if field == "_id" else Terms(field, texts(values))


def _range(params: Any, now_ns: int) -> Query:
    field, options = _one(params, "range", "value")
    bounds: dict[str, Any] = {}
    for name, value in options.items():
        if name in {"gt", "gte", "lt", "lte"}:
            bounds[name] = value
        elif name == "from":
            bounds["gte" if options.get("include_lower", True) else "gt"] = value
        elif name == "to":
            bounds["lte" if options.get("include_upper", True) else "lt"] = value
        elif name not in {"format", "time_zone", "relation", "boost", "_name", "include_lower", "include_upper"}:
            raise UserError(f"[range] query does not support [{name[:80]}]")

    def read(name: str) -> str | None:
        value = bounds.get(name)
        return None if value is None else _bound(value, options, now_ns, up=name in {"gt", "lte"})

    low, high = ("gte", "gt")["gt" in bounds], ("lte", "lt")["lt" in bounds]
    return Range(field, read(low), read(high), low == "gte", high == "lte")


def _bound(value: Any, options: Mapping[str, Any], now_ns: int, *, up: bool) -> str:
    """Return a bound as text; epochs and local times become instants in UTC."""
    body = text(value)
    form, zone = str(options.get("format", "")), options.get("time_zone")
    if "epoch_second" in form and body.lstrip("-").isdigit():
        return _exactly(int(body) * _SECOND)
    if "epoch_millis" in form and body.lstrip("-").isdigit():
        return _exactly(int(body) * 1_000_000)
    if zone and not body.endswith("Z") and "now" not in body and not isinstance(value, int | float):
        local = instants.bound(body, now_ns, up=up, numbers=False)
        if local is not None and not _has_zone(body):
            return _exactly(to_utc(local, zone_of(str(zone))))
    return body


def _exactly(instant: int) -> str:
    """Return an instant as text that means neither the start nor the end of anything longer."""
    whole = format_ns(instant).removesuffix("Z")
    return f"{whole}Z" if "." in whole else f"{whole}.000Z"


def _has_zone(body: str) -> bool:
    tail = body[11:]
    return "+" in tail or "-" in tail


def zone_of(name: str) -> ZoneInfo | int:
    """Return a time zone by name, or its offset in nanoseconds (`+01:00`). Raises `UserError`."""
    if name in {"", "Z", "UTC", "utc"}:
        return 0
    sign = {"+": 1, "-": -1}.get(name[0])
    digits = name[1:].replace(":", "")
    if sign and digits.isdigit() and len(digits) in {2, 4}:
        return sign * (int(digits[:2]) * 3600 + int(digits[2:] or 0) * 60) * _SECOND
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise UserError(f"unknown time zone [{name[:80]}]") from error


def offset_ns(utc_ns: int, zone: ZoneInfo | int) -> int:
    """Return how far the zone's clock is ahead of UTC at an instant."""
    if isinstance(zone, int):
        return zone
    from datetime import UTC, datetime, timedelta

    try:
        moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=utc_ns // _SECOND)
    except OverflowError:
        return 0
    ahead = moment.astimezone(zone).utcoffset()
    return 0 if ahead is None else round(ahead.total_seconds()) * _SECOND


def to_utc(local_ns: int, zone: ZoneInfo | int) -> int:
    """Return the instant at which the zone's clock shows `local_ns`; the earlier one of two."""
    guess = local_ns - offset_ns(local_ns, zone)
    return local_ns - offset_ns(guess, zone)


def _match(params: Any, _now: int) -> Query:
    field, options = _one(params, "match", "query")
    value = text(options.get("query"))
    return _matching(value, field, options, quoted=False, prefix=False)


def _match_phrase(params: Any, _now: int) -> Query:
    field, options = _one(params, "match_phrase", "query")
    return _matching(text(options.get("query")), field, options, quoted=True, prefix=False)


def _match_phrase_prefix(params: Any, _now: int) -> Query:
    field, options = _one(params, "match_phrase_prefix", "query")
    return _matching(text(options.get("query")), field, options, quoted=True, prefix=True)


def _match_bool_prefix(params: Any, _now: int) -> Query:
    field, options = _one(params, "match_bool_prefix", "query")
    return _matching(text(options.get("query")), field, options, quoted=False, prefix=True)


def _matching(value: str, field: str | None, options: Mapping[str, Any], *, quoted: bool, prefix: bool) -> Query:
    if field is not None and field.endswith(KEYWORD):
        return Pattern(field, wildcards(value.replace("*", "\\*") + "*")) if prefix else Terms(field, (value,))
    fuzziness = str(options.get("fuzziness", "0"))
    fuzzy = int(fuzziness) if fuzziness in {"0", "1", "2"} else _AUTO
    operator = str(options.get("operator", "or")).lower()
    slop = int(options.get("slop", 0) or 0)
    return Words(value, field, operator, quoted, prefix, slop, fuzzy, str(options.get("minimum_should_match", "")))


def _multi_match(params: Any, _now: int) -> Query:
    options = _object(params, "multi_match")
    fields = _fields(options.get("fields"))
    value, kind = text(options.get("query")), str(options.get("type", "best_fields"))
    quoted, prefix = "phrase" in kind, kind.endswith("prefix")
    if not fields:
        return _matching(value, None, options, quoted=quoted, prefix=prefix)
    each = (_matching(value, field, options, quoted=quoted, prefix=prefix) for field in fields)
    return Boolean(tuple(Clause("should", one) for one in each))


def _fields(value: Any) -> tuple[str, ...]:
    if value is None:
        return ()
    found = value if isinstance(value, list) else [value]
    return tuple(str(name).partition("^")[0] for name in found)


def _query_string(params: Any, _now: int) -> Query:
    options = _object(params, "query_string")
    operator = str(options.get("default_operator", "or")).lower()
    return _over(options, querystring.query_string(text(options.get("query")), operator))


def _simple(params: Any, _now: int) -> Query:
    options = _object(params, "simple_query_string")
    operator = str(options.get("default_operator", "or")).lower()
    flags = str(options.get("flags", "ALL"))
    return _over(options, querystring.simple_query_string(text(options.get("query")), operator, flags))


def _over(options: Mapping[str, Any], found: Query) -> Query:
    fields = _fields(options.get("fields") or options.get("default_field"))
    return found if not fields or "*" in fields else Over(fields, found)


def _exists(params: Any, _now: int) -> Query:
    return Exists(text(_object(params, "exists").get("field")).removesuffix(KEYWORD))


def _wildcard(params: Any, _now: int) -> Query:
    field, options = _one(params, "wildcard", "value")
    value = text(options.get("value", options.get("wildcard")))
    if value.strip("*") == "" and value:
        return Exists(field.removesuffix(KEYWORD))
    return Pattern(field, wildcards(value), bool(options.get("case_insensitive")))


def _prefix(params: Any, _now: int) -> Query:
    field, options = _one(params, "prefix", "value")
    value = text(options.get("value"))
    escaped = "".join("\\" + sign if sign in "*?\\" else sign for sign in value)
    return Pattern(field, wildcards(escaped + "*"), bool(options.get("case_insensitive")))


def _regexp(params: Any, _now: int) -> Query:
    field, options = _one(params, "regexp", "value")
    return Pattern(field, from_lucene(text(options.get("value"))), bool(options.get("case_insensitive")))


def _ids(params: Any, _now: int) -> Query:
    values = _object(params, "ids").get("values", [])
    found = texts(values if isinstance(values, list) else [values])
    return Ids(found) if found else NOTHING


_NESTING: dict[str, Callable[[Any, int, int], Query]] = {
    "bool": _bool,
    "constant_score": _constant,
    "dis_max": _best,
}
_READERS: dict[str, Reader] = {
    "match_all": lambda _params, _now: Everything(),
    "match_none": lambda _params, _now: NOTHING,
    "term": _term,
    "terms": _terms,
    "range": _range,
    "match": _match,
    "match_phrase": _match_phrase,
    "match_phrase_prefix": _match_phrase_prefix,
    "match_bool_prefix": _match_bool_prefix,
    "multi_match": _multi_match,
    "query_string": _query_string,
    "simple_query_string": _simple,
    "exists": _exists,
    "wildcard": _wildcard,
    "prefix": _prefix,
    "regexp": _regexp,
    "ids": _ids,
}
