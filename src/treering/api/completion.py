"""What could come next in a query, from what is stored: streams by size, fields by how often they are there, values."""

from __future__ import annotations

import collections
import time
from typing import TYPE_CHECKING, Any, TypeVar

from treering.api import language
from treering.api.answers import NotFound
from treering.api.service import DEFAULT_SOURCE
from treering.core.errors import TreeringError
from treering.model import semconv
from treering.stage.store import Limits

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from treering.api.service import Service
    from treering.query.complete import Known
    from treering.stage.store import Result

T = TypeVar("T")
# Records that are looked at for how often fields are there, and for the values of one field.
_SEEN, _COUNTED = 300, 20_000
_KEPT_S, _MOST_KEPT = 60.0, 64
_LONGEST, _SHOWN, _MOST_FIELDS = 100, 3, 200
_OBJECTS = frozenset({"object", "nested", "flat_object"})
_BOUNDS = Limits(rows=_SEEN, seconds=2.0, memory_bytes=256 << 20)


async def complete(service: Service, text: str, cursor: int) -> dict[str, Any]:
    """Return what could stand at `cursor` and the characters it would replace (docs/api.md)."""

    def work() -> dict[str, Any]:
        from treering.query import complete as query_complete
        from treering.query import naming

        data = query_complete.Data(
            schema=lambda streams: language.schema_of(service, streams),
            streams=lambda: _streams(service),
            values=lambda streams, field: _values(service, streams, field),
            known=lambda streams: _known(service, streams),
            declared=naming.declared,
            default_source=DEFAULT_SOURCE,
        )
        found = query_complete.completions(text, cursor, data)
        shown = [
            {
                "text": each.text,
                "kind": each.kind,
                "detail": each.detail,
                **({"values": each.values} if each.values else {}),
            }
            for each in found.suggestions
        ]
        return {"from": found.start, "to": found.end, "suggestions": shown}

    return await service.call(work)


async def help_of(service: Service, name: str | None) -> dict[str, Any]:
    """Return what a command or function says about itself, or all names and what each does. Raises `NotFound`."""

    def work() -> dict[str, Any]:
        from treering.query import manual

        if name is None:
            every = {**manual.calls(), **manual.commands()}
            return {"help": [{"name": key, "kind": each.kind, "summary": each.summary} for key, each in every.items()]}
        told = manual.of(name)
        if told is None:
            raise NotFound(f"there is no command or function {name[:60]!r}")
        return {
            "name": told.name, "kind": told.kind, "summary": told.summary, "syntax": told.syntax, "about": told.about,
            "arguments": [{"name": argument, "about": text} for argument, text in told.arguments],
            "examples": told.examples, "answer": told.answer, "text": told.text(),
        }  # fmt: skip

    return await service.call(work)


def _streams(service: Service) -> list[str]:
    stored = sorted(service.store.streams(), key=lambda info: -info.rows)
    return [*(info.name for info in stored), *semconv.VIEWS]


def _run(service: Service, text: str, rows: int) -> Result | None:
    """Return the answer of a small query, or None where it cannot be had."""
    from treering import query

    try:
        compiled = query.compile(
            text, schema=lambda streams: language.schema_of(service, streams), now_ns=service.clock.now_ns(), rows=rows
        )
        return service.store.run(compiled, _BOUNDS)
    except TreeringError:
        return None  # completion is a help; that it fails must not stand in anyone's way


def _source(streams: Sequence[str]) -> str:
    from treering.query.commands.search import stream_name

    return f"source={', '.join(map(stream_name, streams))}"


def _values(service: Service, streams: Sequence[str], field: str) -> Iterable[str]:
    """Return the most frequent values of a field among the newest records, as texts."""
    from treering.query.lexer import name

    key = ("values", tuple(streams), field)
    held: list[str] | None = _remembered(service, key)
    if held is not None:
        return held
    newest = f"{_source(streams)} | sort - `@timestamp` | head {_COUNTED} | where isnotnull({name(field)})"
    result = _run(service, f"{newest} | stats count() as `n()` by {name(field)} | sort - `n()` | head 100", 100)
    found = [_text(row[-1]) for row in result.rows] if result is not None else []
    return _remember(service, key, [text for text in found if len(text) <= _LONGEST])


def _known(service: Service, streams: Sequence[str]) -> Mapping[str, Known]:
    """Return how often each field is there among the newest records, and its most frequent values."""
    from treering.query.complete import Known

    key = ("known", tuple(streams))
    held: dict[str, Known] | None = _remembered(service, key)
    if held is not None:
        return held
    result = _run(service, f"{_source(streams)} | sort - `@timestamp` | head {_SEEN}{_leaves(service, streams)}", _SEEN)
    found: dict[str, Known] = {}
    for index, column in enumerate(result.columns if result is not None and result.rows else ()):
        cells = [row[index] for row in result.rows if row[index] is not None]  # type: ignore[union-attr]
        counts = collections.Counter(_text(cell) for cell in cells) if column.type in {"string", "boolean"} else {}
        usual = [
            text for text, count in collections.Counter(counts).most_common(_SHOWN) if count > 1 and len(text) < 40
        ]
        found[column.name] = Known(len(cells) / len(result.rows), tuple(usual))  # type: ignore[union-attr]
    return _remember(service, key, found)


def _leaves(service: Service, streams: Sequence[str]) -> str:
    """Return the command that chooses fields which are no objects; there would be only these otherwise."""
    from treering.query.lexer import name

    try:
        fields = list(language.schema_of(service, streams))
    except TreeringError:
        return ""
    names = [name(field.name) for field in fields if field.type not in _OBJECTS and "own" not in field.options]
    return f" | fields {', '.join(names[:_MOST_FIELDS])}" if names else ""


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _remembered(service: Service, key: tuple[Any, ...]) -> Any:
    held = service.remembered.get(key)
    return held[1] if held is not None and time.monotonic() - held[0] < _KEPT_S else None


def _remember(service: Service, key: tuple[Any, ...], value: T) -> T:
    if len(service.remembered) >= _MOST_KEPT:
        service.remembered.clear()
    service.remembered[key] = (time.monotonic(), value)
    return value
