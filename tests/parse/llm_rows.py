"""Asking a running server about calls, and reading its rows as calls."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from treering.model.genai import Call
from treering.parse.genai import call

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.serving import Server


def ask(server: Server, query: str) -> list[dict[str, Any]]:
    """Return the rows that PPL answers, by column; JSON columns decoded."""
    body = json.dumps({"query": query}).encode()
    answer = server.request("POST", "/_plugins/_ppl", body, {"content-type": "application/json"})
    assert answer.status == 200, answer.body
    found = json.loads(answer.body)
    names = [column["name"] for column in found["schema"]]
    return [dict(zip(names, row, strict=True)) for row in found["datarows"]]


def fields(names: Sequence[str]) -> str:
    """Return attribute names as a list of fields."""
    return ", ".join(f"attributes.{name}" for name in names)


def as_call(row: dict[str, Any]) -> Call:
    """Return a row of an answer as a call."""
    attributes = {name.removeprefix("attributes."): value for name, value in row.items() if value is not None}
    found = call({"attributes": {**attributes, "treering.dialect": "row", "treering.view": "llm"}})
    assert found is not None
    return found
