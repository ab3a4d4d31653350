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
_OURS = "gen_ai."


def read(rows: Rows) -> dict[int, dict[str, Any]]:
    """Return, by row, the messages of events that are messages."""
    found: dict[int, dict[str, Any]] = {}
    bodies = {name: one for name, one in rows.columns.items() if name.startswith(("body:", "body/"))}
    for column in _NAMES:
        if column not in rows.columns:
            continue
        places, names = arrays.distinct(rows.columns[column])
        known = np.array([*(name.startswith(_OURS) for name in names), False])
        for place in np.flatnonzero(known[places]).tolist():
            name = names[places[place]]
            # Before log records had a name of their own it was an attribute.
            said = {"/eventName": name}
            if name in _ROLES:
                values = {held: one.slice(place, 1).to_pylist()[0] for held, one in bodies.items()}
                said |= _message(name, to_record(values).get("body"))
            found.setdefault(place, said)
    return found


def _message(name: str, body: Any) -> dict[str, Any]:
    held: Mapping[str, Any] = content.members(body) or {"content": body}
    if name == "gen_ai.choice" and isinstance(held.get("message"), dict):
        held = {**held["message"], "finish_reason": held.get("finish_reason")}
    made = content.messages({"role": _ROLES[name], **{key: value for key, value in held.items() if key != "role"}})
    if not made:
        return {}
    return {f"gen_ai.{'output' if name == 'gen_ai.choice' else 'input'}.messages": content.text(made)}
