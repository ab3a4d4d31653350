"""Conditions on one field as OpenSearch's query DSL."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from treering.model.times import format_ns
from treering.query.types import Type
from treering.stage.condition import ANY, ONE, Gap, HasForm, HasWords, Network, OneOf, Present, Within

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from treering.stage.condition import Value
    from treering.store.opensearch.fields import Indexed

Dsl: TypeAlias = "Mapping[str, Any]"
_BITS = {"byte": 7, "short": 15, "integer": 31, "long": 63}
_OF_TYPE = {Type.TINYINT: 7, Type.SMALLINT: 15, Type.INT: 31, Type.BIGINT: 63}
_REALS = frozenset({"double", "float", "half_float"})
# Beyond it, whole numbers are no longer apart as doubles.
_WHOLE = 1 << 53
_MILLI = 1_000_000
_LAST_NS = 2**63 - 1
_WORD = re.compile(r"[a-z0-9_]+")
# Letters of which the standard analyzer and PPL's full-text functions make the same words.
_PLAIN = re.compile(r"[a-z0-9_.,;:'\u00df-\u00f6\u00f8-\u024f\u03ac-\u03ce\u0430-\u045f\u4e00-\u9fff]+")
# Capital letters beyond ASCII whose lower case is an ASCII letter.
_FOREIGN = {"i": "\u0130", "k": "\u212a"}
# So much of a run of letters is in the index (see `state.LONGEST_WORD`).
_LONGEST_RUN = 200
_LONGEST_PATTERN = 900
_MOST_GAPS = 12
_MOST_VALUES = 60_000


def bits_of(kind: str) -> int | None:
    """Return how many bits beside the sign a type of whole numbers has, one of the index or of PPL."""
    return _BITS.get(kind) or next((bits for name, bits in _OF_TYPE.items() if name == kind), None)


@dataclass(frozen=True, slots=True)
class Found:
    """The query for the documents for which a condition is true, and whether it finds no others."""

    query: Dsl
    exact: bool = True


def found(condition: OneOf | Within | Present | Network | HasWords | HasForm, field: Indexed) -> Found | None:
    """Return the query for a condition, or None when all that can be asked is whether there is a value."""
    match condition:
        case Present():
            return _present(field)
        case OneOf():
            return _one_of(condition.values, field)
        case Within():
            return _within(condition, field)
        case Network():
            return _network(condition.network, field)
        case HasWords():
            return _words(condition, field)
        case HasForm():
            return _word_form(condition, field) if condition.word else _form(condition, field)


def _present(field: Indexed) -> Found:
    exists: Dsl = {"exists": {"field": field.path}}
    bits = _OF_TYPE.get(field.kind)
    if bits is not None and field.type == "long" and bits < 63:
        return Found(_range(field.path, -(1 << bits), (1 << bits) - 1))
    same = {
        "keyword": {Type.STRING, Type.IP},
        "boolean": {Type.BOOLEAN},
        "ip": {Type.IP},
        "date": {Type.TIMESTAMP},
        "date_nanos": {Type.TIMESTAMP},
    }
    if field.type in same:
        return Found(exists, field.kind in same[field.type])
    return Found(exists, bits is not None or field.kind in {Type.DOUBLE, Type.FLOAT})


def _range(path: str, low: Any = None, high: Any = None, **options: Any) -> Dsl:
    bounds = {name: value for name, value in (("gte", low), ("lte", high)) if value is not None}
    return {"range": {path: bounds | options}}


def _any(queries: Sequence[Dsl]) -> Dsl:
    if not queries:
        return {"match_none": {}}
    return queries[0] if len(queries) == 1 else {"bool": {"should": list(queries), "minimum_should_match": 1}}


# Values


def _one_of(values: Sequence[Value], field: Indexed) -> Found | None:  # noqa: PLR0911  one branch per type
    if len(values) > _MOST_VALUES:
        return None
    if field.kind is Type.STRING:
        return _texts([str(value) for value in values], field)
    if field.kind is Type.IP:
        return _addresses([str(value) for value in values], field)
    if field.kind is Type.BOOLEAN and field.type == "boolean":
        return Found({"terms": {field.path: list(values)}})
    if field.kind is Type.TIMESTAMP:
        each = [_instants(Within("", value, value), field) for value in values]
        known = [one for one in each if one is not None]
        return Found(_any([one.query for one in known]), all(one.exact for one in known)) if known == each else None
    each = [_numbers(Within("", value, value), field) for value in values]
    known = [one for one in each if one is not None]
    if len(known) < len(each):
        return None
    if len(known) > 1 and field.type == "long" and all(isinstance(value, int) for value in values):
        inside = [value for value in values if _fits(value, field)]
        return Found({"terms": {field.path: inside}} if inside else {"match_none": {}})
    return Found(_any([one.query for one in known]), all(one.exact for one in known))


def _fits(value: Any, field: Indexed) -> bool:
    bits = _OF_TYPE.get(field.kind, 63)
    return bool(-(1 << bits) <= value < 1 << bits)


def _texts(values: Sequence[str], field: Indexed) -> Found | None:
    if field.whole is not None:
        if len(values) == 1:
            return Found({"term": {field.whole: values[0]}})
        return Found({"terms": {field.whole: list(values)}})
    if field.words is None:
        return None
    # The same text has the same words, in the same order.
    asked = [{"match_phrase": {field.words: {"query": value, "zero_terms_query": "all"}}} for value in values]
    return Found(_any(asked), exact=False)


def _addresses(values: Sequence[str], field: Indexed) -> Found | None:
    if field.type == "ip":
        return Found({"terms": {field.path: list(values)}}, exact=not any(":" in value for value in values))
    if field.whole is None:
        return None
    forms = [form for value in values for form in ([value] if ":" in value else [value, f"::ffff:{value}"])]
    return Found(_any([{"term": {field.whole: {"value": form, "case_insensitive": True}}} for form in forms]))


def _network(network: str, field: Indexed) -> Found | None:
    if field.type != "ip" or field.kind is not Type.IP or ":" in network:
        return None
    return Found({"term": {field.path: network}})


def _within(condition: Within, field: Indexed) -> Found | None:
    if field.kind is Type.TIMESTAMP:
        return _instants(condition, field)
    if field.kind is not Type.STRING:
        return _numbers(condition, field)
    if field.whole is None:
        return None
    bounds: dict[str, Any] = {}
    if condition.low is not None:
        bounds["gte" if condition.low_included else "gt"] = condition.low
    if condition.high is not None:
        bounds["lte" if condition.high_included else "lt"] = condition.high
    return Found({"range": {field.whole: bounds}})


def _numbers(condition: Within, field: Indexed) -> Found | None:
    if field.kind not in _OF_TYPE and field.kind not in {Type.FLOAT, Type.DOUBLE}:
        return None
    bounds = (condition.low, condition.high)
    if any(isinstance(bound, str) or (isinstance(bound, float) and not math.isfinite(bound)) for bound in bounds):
        return None
    as_real = field.kind not in _OF_TYPE or any(isinstance(bound, float) for bound in bounds)
    if as_real and any(bound is not None and abs(bound) >= _WHOLE for bound in bounds):  # type: ignore[arg-type]
        return None
    if field.type in _BITS:
        return _whole_numbers(condition, field)
    if field.type not in _REALS or field.kind in _OF_TYPE:
        return None
    # Values of `float` are rounded in the index, so what is near a bound may lie on its other side.
    exact = field.type == "double"
    low = "gte" if condition.low_included or not exact else "gt"
    high = "lte" if condition.high_included or not exact else "lt"
    found = {name: float(bound) for name, bound in ((low, condition.low), (high, condition.high)) if bound is not None}
    return Found({"range": {field.path: found}}, exact)


def _whole_numbers(condition: Within, field: Indexed) -> Found:
    bits = min(_BITS[field.type], _OF_TYPE.get(field.kind, 63))
    low, high = -(1 << bits), (1 << bits) - 1
    if condition.low is not None:
        bound = math.ceil(condition.low)  # type: ignore[arg-type]
        low = max(low, bound + 1 if bound == condition.low and not condition.low_included else bound)
    if condition.high is not None:
        bound = math.floor(condition.high)  # type: ignore[arg-type]
        high = min(high, bound - 1 if bound == condition.high and not condition.high_included else bound)
    if low > high:
        return Found({"match_none": {}})
    if low == high:
        return Found({"term": {field.path: low}})
    widest = _BITS[field.type]
    return Found(
        _range(
            field.path,
            low if low > -(1 << widest) or condition.low is not None else None,
            high if high < (1 << widest) - 1 or condition.high is not None else None,
        )
        if (condition.low, condition.high) != (None, None)
        else {"exists": {"field": field.path}}
    )


def _instants(condition: Within, field: Indexed) -> Found | None:
    if field.type not in {"date", "date_nanos"} or isinstance(condition.low, str) or isinstance(condition.high, str):
        return None
    low = None if condition.low is None else int(condition.low) + (not condition.low_included)
    high = None if condition.high is None else int(condition.high) - (not condition.high_included)
    if field.type == "date_nanos":
        if high is not None and high < 0:
            return Found({"match_none": {}})
        first = None if low is None or low <= 0 else _stamp(low)
        last = None if high is None or high >= _LAST_NS else _stamp(high)
        if first is None and last is None:
            return Found({"exists": {"field": field.path}})
        return Found(_range(field.path, first, last, format="strict_date_optional_time_nanos"))
    # The index holds milliseconds; the document may say more.
    exact = (low is None or low % _MILLI == 0) and (high is None or (high + 1) % _MILLI == 0)
    first_ms = None if low is None else low // _MILLI
    last_ms = None if high is None else high // _MILLI
    return Found(_range(field.path, first_ms, last_ms, format="epoch_millis"), exact)


def _stamp(ns: int) -> str:
    whole, _, fraction = format_ns(ns)[:-1].partition(".")
    return f"{whole}.{fraction.ljust(9, '0')}Z"


# Words and forms of texts


def _words(condition: HasWords, field: Indexed) -> Found | None:
    if field.kind is not Type.STRING:
        return None
    if field.words is None:
        return _runs(condition, field)
    if not all(_PLAIN.fullmatch(word) for word in condition.words):
        return None
    *before, last = condition.words
    if condition.phrase and not condition.prefix and before:
        asked = {"query": " ".join(condition.words), "analyzer": "whitespace"}
        return Found({"match_phrase": {field.words: asked}})
    queries: list[Dsl] = [{"term": {field.words: word}} for word in before]
    queries.append({"prefix" if condition.prefix else "term": {field.words: last}})
    if condition.phrase or condition.least >= len(queries):
        exact = not condition.phrase or not before
        return Found(queries[0] if len(queries) == 1 else {"bool": {"filter": queries}}, exact)
    return Found({"bool": {"should": queries, "minimum_should_match": condition.least}})


def _runs(condition: HasWords, field: Indexed) -> Found | None:
    """Ask for the letters of the words among those of all fields."""
    if field.runs is None:
        return None
    *before, last = [_WORD.findall(word) for word in condition.words]
    asked: list[Dsl] = [{"term": {field.runs: run[:_LONGEST_RUN]}} for word in before for run in word]
    asked += [{"prefix" if condition.prefix else "term": {field.runs: run[:_LONGEST_RUN]}} for run in last]
    if not asked or not all([*before, last]) or 1 < condition.least < len(condition.words):
        return None
    if condition.phrase or condition.least >= len(condition.words):
        return Found(asked[0] if len(asked) == 1 else {"bool": {"filter": asked}}, exact=False)
    return Found(_any(asked), exact=False)


def _word_form(condition: HasForm, field: Indexed) -> Found | None:
    if field.words is None or not all(part.isascii() for part in condition.parts if isinstance(part, str)):
        return None
    # Where scripts meet, words end here and there at different letters.
    return Found({"wildcard": {field.words: {"value": _wildcard(condition.parts)}}}, exact=False)


def _wildcard(parts: Sequence[str | Gap]) -> str:
    gaps = {ONE: "?", ANY: "*"}
    return "".join(gaps[part] if isinstance(part, Gap) else re.sub(r"([*?\\])", r"\\\1", part) for part in parts)


def _form(condition: HasForm, field: Indexed) -> Found | None:  # noqa: PLR0911  one branch per way to ask
    if field.kind is not Type.STRING:
        return None
    if field.whole is None:
        return _parts_among_words(condition.parts, field)
    parts = condition.parts
    if sum(isinstance(part, Gap) for part in parts) > _MOST_GAPS:
        return None
    if not condition.any_case:
        if len(parts) == 2 and isinstance(parts[0], str) and parts[1] is ANY:
            return Found({"prefix": {field.whole: parts[0]}}, condition.exact)
        return Found({"wildcard": {field.whole: {"value": _wildcard(parts)}}}, condition.exact)
    pattern = "".join(_either_case(part) for part in parts)
    if len(pattern) > _LONGEST_PATTERN:
        return None
    exact = condition.exact and all(part.isascii() for part in parts if isinstance(part, str))
    return Found({"regexp": {field.whole: {"value": pattern, "flags": "NONE"}}}, exact)


def _either_case(part: str | Gap) -> str:
    if isinstance(part, Gap):
        return "." if part is ONE else ".*"
    return "".join(_letter(character) for character in part)


def _letter(character: str) -> str:
    if not character.isascii():
        return "."
    if character.isalpha():
        lower = character.lower()
        return f"[{lower}{lower.upper()}{_FOREIGN.get(lower, '')}]"
    return character if character.isdigit() else f"\\{character}"


def _parts_among_words(parts: Sequence[str | Gap], field: Indexed) -> Found | None:
    """Ask for words that have the letters of a text's parts: the analyzer never parts those."""
    if field.words is None:
        return None
    runs = [run for part in parts if isinstance(part, str) for run in _WORD.findall(part.lower()) if len(run) > 2]
    if not runs:
        return None
    asked: list[Dsl] = [{"wildcard": {field.words: {"value": f"*{run}*"}}} for run in dict.fromkeys(runs)]
    return Found(asked[0] if len(asked) == 1 else {"bool": {"filter": asked}}, exact=False)
