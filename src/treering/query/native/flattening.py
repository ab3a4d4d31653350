"""`spath` without a path: a JSON document as a flat object of texts (manual: cmd/spath, auto-extract mode)."""

from __future__ import annotations

import json
import re
from typing import Any

from treering.query.native import Native

_DEEPEST = 100
_MEMBER = re.compile(r'"((?:\\.|[^"\\])*)"\s*:\s*("(?:\\.|[^"\\])*"|-?\d[\d.eE+-]*|true|false|null)\s*(?=[,}])')


def flattened(text: str) -> str | None:
    """Return the members as texts by their paths: dots between objects, `{}` after lists, equal paths as one list.

    Of a document that ends too early the top members before its end are taken; what is no document gives no members.
    """
    found: dict[str, list[str]] = {}
    try:
        _walk(json.loads(text), "", found, 0)
    except (ValueError, RecursionError):
        found = _partial(text)
    whole = {path: values[0] if len(values) == 1 else f"[{', '.join(values)}]" for path, values in found.items()}
    return json.dumps(whole, ensure_ascii=False)


def _walk(value: Any, path: str, found: dict[str, list[str]], depth: int) -> None:
    if depth > _DEEPEST:
        raise ValueError("nested too deeply")
    if isinstance(value, dict):
        for key, member in value.items():
            _walk(member, f"{path}.{key}" if path else key, found, depth + 1)
    elif isinstance(value, list):
        for item in value:
            _walk(item, path + "{}", found, depth + 1)
    elif path:
        found.setdefault(path, []).append(_text(value))


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    return json.dumps(value)


def _partial(text: str) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    if text.lstrip().startswith("{") and text.count("{") == 1:
        for match in _MEMBER.finditer(text):
            found.setdefault(json.loads(f'"{match[1]}"'), []).append(_text(json.loads(match[2])))
    return found


NATIVES = (Native("ppl_flattened", flattened, ("VARCHAR",), "VARCHAR"),)
