from __future__ import annotations

import contextlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from treering.stage.source import Response, Route
from treering.web.problem import Problem
from treering.web.router import Router


async def handle(_request: Any) -> Response:
    return Response()


def route(methods: str, path: str) -> Route:
    return Route(frozenset(methods.split()), path, handle)


ROUTES = [
    route("POST PUT", "/_bulk"),
    route("POST", "/{index}/_bulk"),
    route("GET PUT", "/{index}"),
    route("GET", "/{index}/_doc/{id}"),
    route("GET", "/api/record/{stream}/{seq}"),
    route("GET", "/"),
]


def found(method: str, path: bytes) -> tuple[str, dict[str, str]]:
    chosen, params = Router(ROUTES).find(method, path)
    return chosen.path, dict(params)


@pytest.mark.parametrize(
    ("method", "path", "expected"),
    [
        ("PUT", b"/_bulk", ("/_bulk", {})),
        ("PUT", b"/_bulk/", ("/_bulk", {})),
        ("POST", b"/logs/_bulk", ("/{index}/_bulk", {"index": "logs"})),
        ("PUT", b"/%3Cfb-%7Bnow%2Fd%7D-1%3E", ("/{index}", {"index": "<fb-{now/d}-1>"})),
        ("HEAD", b"/logs", ("/{index}", {"index": "logs"})),
        ("GET", b"/l/_doc/a%2Fb", ("/{index}/_doc/{id}", {"index": "l", "id": "a/b"})),
        ("GET", b"/api/record/logs/7", ("/api/record/{stream}/{seq}", {"stream": "logs", "seq": "7"})),
        ("GET", b"/", ("/", {})),
    ],
)
def test_paths_find_their_routes(method: str, path: bytes, expected: Any) -> None:
    assert found(method, path) == expected


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", b"/_bulk", 405),
        ("DELETE", b"/logs", 405),
        ("GET", b"/_unknown", 404),
        ("GET", b"/a/b/c/d/e", 404),
        ("GET", b"/%ff", 400),
    ],
)
def test_others_are_refused(method: str, path: bytes, status: int) -> None:
    with pytest.raises(Problem) as refused:
        found(method, path)
    assert refused.value.status == status


@given(st.sampled_from(["GET", "POST", "HEAD", "X"]), st.binary(max_size=80))
def test_any_path_is_found_or_refused(method: str, path: bytes) -> None:
    with contextlib.suppress(Problem):
        assert found(method, path)[0] in {route.path for route in ROUTES}
