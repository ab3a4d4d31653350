"""`filter_path`: the parts of an answer that an OpenSearch client wants to see.

Steps are separated by dots; `*` stands for one step or part of a name, `**` for any number of steps, a leading `-`
excludes. Lists are transparent: `items.*.status` reaches into every item.
"""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import Any

_MAX_PATTERNS, _MAX_STEPS = 64, 16
_ABSENT = object()
Pattern = tuple[str, ...]


def apply(answer: Any, filter_path: str) -> Any:
    """Return what `filter_path` keeps of `answer`, an empty object when nothing."""
    patterns = [part.strip() for part in filter_path.split(",")[:_MAX_PATTERNS] if part.strip()]
    wanted = [_steps(pattern) for pattern in patterns if not pattern.startswith("-")]
    unwanted = [_steps(pattern[1:]) for pattern in patterns if pattern.startswith("-")]
    if wanted:
        answer = _keep(answer, wanted)
    if unwanted and answer is not _ABSENT:
        answer = _remove(answer, unwanted)
    return {} if answer is _ABSENT else answer


def _steps(pattern: str) -> Pattern:
    return tuple(pattern.split(".")[:_MAX_STEPS])


def _advance(name: str, patterns: list[Pattern]) -> list[Pattern]:
    """Return what remains of the patterns whose first step is `name`; an empty one has matched whole."""
    left = []
    for pattern in patterns:
        head, *rest = pattern
        if head == "**":
            left.append(pattern)
            left.extend(_advance(name, [tuple(rest)]) if rest else [()])
        elif fnmatchcase(name, head):
            left.append(tuple(rest))
    return left


def _keep(value: Any, patterns: list[Pattern]) -> Any:
    if () in patterns:
        return value
    if isinstance(value, dict):
        kept = {}
        for name, member in value.items():
            left = _advance(name, patterns)
            if left and (part := _keep(member, left)) is not _ABSENT:
                kept[name] = part
        return kept or _ABSENT
    if isinstance(value, list):
        parts = [part for item in value if (part := _keep(item, patterns)) is not _ABSENT]
        return parts or _ABSENT
    return _ABSENT


def _remove(value: Any, patterns: list[Pattern]) -> Any:
    if isinstance(value, dict):
        out = {}
        for name, member in value.items():
            left = _advance(name, patterns)
            if () not in left:
                out[name] = _remove(member, left) if left else member
        return out
    if isinstance(value, list):
        return [_remove(item, patterns) for item in value]
    return value
