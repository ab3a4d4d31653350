"""Dashboards: which there are, and one with the answers of its panels."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import msgspec

from treering.api.histogram import interval_ms
from treering.api.instants import span_ns
from treering.api.queries import Asked, queries
from treering.app import dashboards as stored
from treering.core.errors import UserError
from treering.query.variables import filled

if TYPE_CHECKING:
    from collections.abc import Mapping

    from treering.api.service import Service
    from treering.model.dashboard import Dashboard

BUCKETS = 80
MANY = 300_000
_ROWS, _CHOICES = 2000, 200
_MOST_CHARACTERS = 500
_UNITS = (("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000))
_HOUR_NS = 3600 * 10**9


async def dashboards(service: Service) -> dict[str, Any]:
    """Return name, title and first words of every dashboard; one whose file is wrong comes with its `error`."""

    def read() -> list[dict[str, Any]]:
        shown: list[dict[str, Any]] = []
        for name, file in stored.files(service.dashboards).items():
            try:
                found = stored.read(file)
                shown.append({"name": name, "title": found.title, "about": found.about, "file": file.name})
            except UserError as error:
                shown.append({"name": name, "title": name, "about": "", "file": file.name, "error": error.as_dict()})
        return shown

    return {"dashboards": await service.call(read)}


async def dashboard(
    service: Service, name: str, span: tuple[str | None, str | None], values: Mapping[str, str]
) -> dict[str, Any]:
    """Return the dashboard `name` with its panels' queries as they were run and their answers (docs/api.md).

    `values` are those of its variables; one that is missing has its default. Raises `UserError` for an unknown
    dashboard or variable, or a file that is wrong.
    """
    began = time.monotonic()
    found = await service.call(stored.load, name, service.dashboards)
    chosen = _chosen(found, values)
    size = bucket(span, service.clock.now_ns())
    records = sum(info.rows for info in await service.call(service.store.streams))
    written = {"span": size, "sample": sample(size, records)}
    texts = [filled(panel.query, chosen, written) for panel in found.panels]
    asked = {f"panel {place}": Asked(query=text) for place, text in enumerate(texts)}
    asked |= {f"variable {item.name}": Asked(query=item.query, limit=_CHOICES) for item in found.variables}
    answers = (await queries(service, asked, span, _ROWS))["answers"]
    return {
        "name": name,
        "title": found.title,
        "about": found.about,
        "span": size,
        "variables": [
            {
                "name": item.name,
                "title": item.title or item.name,
                "value": chosen[item.name],
                "values": _choices(answers[f"variable {item.name}"]),
            }
            for item in found.variables
        ],
        "panels": [
            msgspec.to_builtins(panel) | {"query": text, "answer": answers[f"panel {place}"]}
            for place, (panel, text) in enumerate(zip(found.panels, texts, strict=True))
        ],
        "took_ms": round((time.monotonic() - began) * 1000),
    }


def bucket(span: tuple[str | None, str | None], now_ns: int) -> str:
    """Return the length of a bucket as PPL writes it, about eighty to the range; an open start is an hour."""
    start, end = span_ns(*span, now_ns)
    end = now_ns if end is None else end
    start = end - _HOUR_NS if start is None else start
    length = interval_ms(start, max(end, start + 1), BUCKETS)
    unit, size = next(((unit, size) for unit, size in _UNITS if length % size == 0), ("ms", 1))
    return f"{length // size}{unit}"


def sample(size: str, records: int) -> str:
    """Return a condition on half a minute of each bucket of `size`, or one that always holds while `records` are few.

    For panels that must read long texts: at three million records the texts of a day take seconds to read.
    """
    count, unit = int(size.rstrip("mshd")), size.lstrip("0123456789")
    if records < MANY or unit in {"ms", "s"} or (unit == "m" and count < 5):
        return "second(@timestamp) >= 0"
    if unit == "m":
        return f"minute(@timestamp) % {count} = {count // 2} and second(@timestamp) < 30"
    hours = count if unit == "h" else 6
    return f"minute(@timestamp) = 7 and second(@timestamp) < 30 and hour(@timestamp) % {hours} = 0"


def _chosen(found: Dashboard, values: Mapping[str, str]) -> dict[str, str]:
    known = {item.name: item.default for item in found.variables}
    for name, value in values.items():
        if name not in known:
            raise UserError(f"the dashboard has no variable {name[:40]!r}", hint=f"known: {', '.join(known)}")
        if len(value) > _MOST_CHARACTERS:
            raise UserError(f"the value of {name!r} has {len(value)} characters, the limit is {_MOST_CHARACTERS}")
    return {**known, **values}


def _choices(answer: Mapping[str, Any]) -> list[str]:
    """Return the texts in the first column of text of the rows that a variable's query gave."""
    types = [column["type"] for column in answer.get("schema", [])]
    place = next((at for at, kind in enumerate(types) if kind in {"string", "text", "keyword"}), 0)
    return sorted({str(row[place]) for row in answer.get("datarows", []) if row and row[place] not in (None, "")})
