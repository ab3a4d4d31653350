"""JSON documents edited and read by PPL's paths: `a.b{2}.c`, `a{}.b` for every item (manual: functions/json)."""

from __future__ import annotations

import functools
import json
import re
from typing import TYPE_CHECKING, Any

from treering.query.native import Native

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_STEP = re.compile(r"\{\s*(-?\d*)\s*\}|\[\s*(\*|-?\d+)\s*\]|\[\s*'([^']*)'\s*\]|([^.{\[]+)|\.")
_DEPTH = 200
Step = str | int | None  # a key, an index, or every item


@functools.lru_cache(maxsize=512)
def steps(path: str) -> tuple[Step, ...]:
    """Return the steps of a path; a leading `$` means nothing. Raises `ValueError` when it does not parse."""
    rest = path.removeprefix("$").removeprefix(".")
    found: list[Step] = []
    position = 0
    while position < len(rest):
        match = _STEP.match(rest, position)
        if match is None:
            raise ValueError(f"the json path {path[:80]!r} does not parse")
        brace, bracket, quoted, key = match.groups()
        if quoted is not None or key is not None:
            found.append(key if quoted is None else quoted)
        elif match[0] != ".":
            index = brace if brace is not None else bracket
            found.append(int(index) if index and index != "*" else None)
        position = match.end()
    if len(found) > _DEPTH:
        raise ValueError(f"the json path is deeper than {_DEPTH} steps")
    return tuple(found)


def dump(value: Any) -> str:
    """Return JSON without spaces."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def load(text: str) -> Any:
    """Return the value of a JSON text. Raises `ValueError` when it is none."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise ValueError("the text is not JSON") from None


def _reach(value: Any, path: tuple[Step, ...]) -> Iterator[Any]:
    if not path:
        yield value
        return
    step, rest = path[0], path[1:]
    if step is None:
        for item in value if isinstance(value, list) else []:
            yield from _reach(item, rest)
    elif isinstance(step, int):
        if isinstance(value, list) and -len(value) <= step < len(value):
            yield from _reach(value[step], rest)
    elif isinstance(value, dict) and step in value:
        yield from _reach(value[step], rest)


def extract(text: str, paths: list[str]) -> str | None:
    """Return what one path names, a text bare and the rest as JSON; of several paths an array, of nulls for no JSON."""
    try:
        document = load(text)
    except ValueError:
        return dump([None] * len(paths)) if len(paths) > 1 else None
    found: list[Any] = []
    for path in paths:
        parsed = steps(path)
        values = list(_reach(document, parsed))
        found.append(values if None in parsed else values[0] if values else None)
    if len(found) > 1:
        return dump(found)
    value = found[0]
    return value if value is None or isinstance(value, str) else dump(value)


def _change(document: Any, path: tuple[Step, ...], change: Callable[[Any, Step], None]) -> None:
    """Call `change(parent, step)` for each place that `path` names; `every item` becomes each index, last first."""
    for parent in _reach(document, path[:-1]):
        last = path[-1]
        if last is not None:
            change(parent, last)
        elif isinstance(parent, list):
            for index in reversed(range(len(parent))):
                change(parent, index)


def _has(parent: Any, step: Step) -> bool:
    if isinstance(step, int):
        return isinstance(parent, list) and -len(parent) <= step < len(parent)
    return isinstance(parent, dict) and step in parent


def edit(kind: str, text: str, paths: list[str], values: list[str | None]) -> str:
    """Return the document after `set`, `append`, `extend` or `delete`, one path and value after the other."""
    document = load(text)
    for index, path in enumerate(paths):
        parsed = steps(path)
        if not parsed:
            continue
        encoded = values[index] if index < len(values) else None
        _change(document, parsed, _changing(kind, None if encoded is None else json.loads(encoded)))
    return dump(document)


def _changing(kind: str, value: Any) -> Callable[[Any, Any], None]:
    def put(parent: Any, step: Any) -> None:
        if _has(parent, step):
            parent[step] = value
        elif isinstance(step, str) and isinstance(parent, dict):
            # OpenSearch writes a new number or truth as a text.
            parent[step] = dump(value) if isinstance(value, bool | int | float) else value

    def remove(parent: Any, step: Any) -> None:
        # OpenSearch leaves a value that is null in its place.
        if _has(parent, step) and parent[step] is not None:
            del parent[step]

    def append(parent: Any, step: Any) -> None:
        if _has(parent, step) and isinstance(parent[step], list):
            parent[step].append(value)

    def extend(parent: Any, step: Any) -> None:
        if _has(parent, step) and isinstance(parent[step], list):
            parent[step].extend(_items(value))

    return {"set": put, "delete": remove, "append": append, "extend": extend}[kind]


def _items(value: Any) -> list[Any]:
    """An array's items; those of an array written as a text are doubles where they are numbers, as in the manual."""
    if isinstance(value, list):
        return value
    if isinstance(value, str):
        try:
            found = json.loads(value, parse_int=float)
        except (ValueError, RecursionError):
            return [value]
        if isinstance(found, list):
            return found
    return [value]


NATIVES = (
    Native("ppl_json_extract", extract, ("VARCHAR", "VARCHAR[]"), "VARCHAR"),
    Native("ppl_json_edit", edit, ("VARCHAR", "VARCHAR", "VARCHAR[]", "VARCHAR[]"), "VARCHAR"),
)
