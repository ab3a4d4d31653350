"""Items of nested lists as OpenSearch answers them: dotted names become objects, dates are printed by their formats."""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from treering.model import dateformats
from treering.model.times import epoch_ns, rfc3339_ns

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from treering.model.schema import FieldType

_ANY = "strict_date_optional_time||epoch_millis"
_UNITS = {dateformats.MILLIS: 10**6, dateformats.SECONDS: 10**9}


def formats(nested: FieldType) -> Iterator[tuple[str, str]]:
    """Yield path and format of each date among the members of a nested field; paths begin below the field."""
    for member in nested.options.get("members", ()):
        if member.type in {"date", "date_nanos"}:
            yield member.name[len(nested.name) + 1 :], member.format or _ANY
        for path, form in formats(member):
            yield f"{member.name[len(nested.name) + 1 :]}.{path}", form


def shown(value: Any, dates: Mapping[str, str], print_ns: Callable[[int], str], path: str = "") -> Any:
    """Return a decoded item or list of items as it is answered; `dates` are formats by path."""
    if isinstance(value, list):
        return [shown(item, dates, print_ns, path) for item in value]
    if isinstance(value, dict):
        found: dict[str, Any] = {}
        for name, item in value.items():
            _put(found, name.split("."), shown(item, dates, print_ns, f"{path}.{name}" if path else name))
        return found
    form = dates.get(path)
    return value if form is None or value is None else _printed(str(value), form, print_ns)


def _put(target: dict[str, Any], steps: list[str], value: Any) -> None:
    *parents, last = steps
    for step in parents:
        inner = target.setdefault(step, {})
        if not isinstance(inner, dict):
            inner = target[step] = {}
        target = inner
    before = target.get(last)
    target[last] = {**before, **value} if isinstance(before, dict) and isinstance(value, dict) else value


def _printed(text: str, form: str, print_ns: Callable[[int], str]) -> str:
    """The date as PPL prints it; a text that no format reads stays."""
    kind = dateformats.kind(form)
    for _, pattern in dateformats.read(form):
        if (moment := _read(text, pattern)) is not None:
            whole = print_ns(moment)
            return {"date": whole[:10], "time": whole[11:]}.get(kind, whole)
    return text


def _read(text: str, pattern: str) -> int | None:
    if pattern == dateformats.ISO:
        return rfc3339_ns(text)
    if pattern in _UNITS:
        return epoch_ns(text, _UNITS[pattern])
    with contextlib.suppress(ValueError):
        moment = datetime.strptime(text, pattern.replace("%g", "%f").replace("%n", "%f"))  # noqa: DTZ007  the next line gives it its zone
        known = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
        apart = known - datetime(1970, 1, 1, tzinfo=UTC)
        return (apart.days * 86_400 + apart.seconds) * 10**9 + apart.microseconds * 1000
    return None
