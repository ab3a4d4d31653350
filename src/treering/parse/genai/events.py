"""Content that comes as log events, one for each message (conventions up to 1.36): each becomes a canonical message.

The event is told from its name; its span is found by `traceId` and `spanId`, at query time (`treering.query.events`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from treering.model.columns import to_record
from treering.parse.genai import arrays, content

if TYPE_CHECKING:
    from collections.abc import Mapping

    from treering.parse.genai.rows import Rows

_ROLES = {
    "gen_ai.system.message": "system",
    "gen_ai.user.message": "user",
    "gen_ai.assistant.message": "assistant",
    "gen_ai.tool.message": "tool",
    "gen_ai.choice": "assistant",
}
_NAMES = ("eventName:s", "attributes/event.name:s")


def read(rows: Rows) -> dict[int, dict[str, Any]]:
    """Return, by row, the messages of events that are messages."""
    column = next((rows.columns[name] for name in _NAMES if name in rows.columns), None)
    if column is None:
        return {}
    places, names = arrays.distinct(column)
    known = np.array([*(name in _ROLES for name in names), False])
    chosen = np.flatnonzero(known[places])
    if not len(chosen):
        return {}
    bodies = {name: one for name, one in rows.columns.items() if name.startswith(("body:", "body/"))}
    found: dict[int, dict[str, Any]] = {}
    for place in chosen.tolist():
        values = {name: one.slice(place, 1).to_pylist()[0] for name, one in bodies.items()}
        said = _message(names[places[place]], to_record(values).get("body"))
        if said is not None:
            found[place] = said
    return found


def _message(name: str, body: Any) -> dict[str, Any] | None:
    held: Mapping[str, Any] = body if isinstance(body, dict) else {"content": body}
    if name == "gen_ai.choice" and isinstance(held.get("message"), dict):
        held = {**held["message"], "finish_reason": held.get("finish_reason")}
    made = content.messages({"role": _ROLES[name], **{key: value for key, value in held.items() if key != "role"}})
    if not made:
        return None
    return {f"gen_ai.{'output' if name == 'gen_ai.choice' else 'input'}.messages": content.text(made)}
