"""From a request line to a route: exact paths first, then patterns with parameters."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import unquote_to_bytes

from treering.web.problem import Problem

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from treering.stage.source import Route

_Steps = tuple[str, ...]


class Router:
    """Finds the route of a path among those of one listener."""

    def __init__(self, routes: Iterable[Route]) -> None:
        """Index `routes`; of two with the same path and method the first wins."""
        self._exact: dict[str, dict[str, Route]] = {}
        self._patterns: dict[int, list[tuple[_Steps, dict[str, Route]]]] = {}
        for route in routes:
            methods = self._methods(route.path)
            for method in route.methods:
                methods.setdefault(method, route)
        for patterns in self._patterns.values():
            # Literal steps before parameters, so that `/{index}/_doc` is tried before `/{index}/{part}`.
            patterns.sort(key=lambda pattern: [step.startswith("{") for step in pattern[0]])

    def _methods(self, path: str) -> dict[str, Route]:
        if "{" not in path:
            return self._exact.setdefault(path, {})
        steps = tuple(path.split("/"))
        patterns = self._patterns.setdefault(len(steps), [])
        for known, methods in patterns:
            if known == steps:
                return methods
        patterns.append((steps, {}))
        return patterns[-1][1]

    def find(self, method: str, raw_path: bytes) -> tuple[Route, Mapping[str, str]]:
        """Return the route and its parameters. Raises `Problem` 404, 405 or 400 (a path that is not UTF-8).

        The path is split before it is decoded: `%2F` belongs to a step.
        """
        path = _text(raw_path)
        if len(path) > 1 and path.endswith("/"):
            path, raw_path = path[:-1], raw_path[:-1]
        if (methods := self._exact.get(path)) is not None:
            return _choose(methods, method), {}
        steps = [_text(step) for step in raw_path.split(b"/")]
        allowed: dict[str, Route] = {}
        for pattern, methods in self._patterns.get(len(steps), ()):
            params = _match(pattern, steps)
            if params is None:
                continue
            if method in methods or (method == "HEAD" and "GET" in methods):
                return _choose(methods, method), params
            allowed.update(methods)
        if allowed:
            return _choose(allowed, method), {}
        raise Problem(404, f"no handler found for uri [{path[:200]}] and method [{method[:20]}]")


def _text(raw: bytes) -> str:
    try:
        return unquote_to_bytes(raw).decode()
    except UnicodeDecodeError:
        raise Problem(400, "the path is not utf-8") from None


def _choose(methods: Mapping[str, Route], method: str) -> Route:
    route = methods.get(method) or (methods.get("GET") if method == "HEAD" else None)
    if route is None:
        raise Problem(405, f"method {method[:20]} is not allowed here", {"allow": ", ".join(sorted(methods))})
    return route


def _match(pattern: _Steps, steps: list[str]) -> dict[str, str] | None:
    params = {}
    for wanted, step in zip(pattern, steps, strict=True):
        if wanted.startswith("{"):
            if not step or step.startswith("_"):
                return None
            params[wanted[1:-1]] = step
        elif wanted != step:
            return None
    return params
