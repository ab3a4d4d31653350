"""What failed: an error's type from exception events, from a traceback in the status message, from its first words."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import numpy as np
from arro3.core import Array

from treering.parse.genai import arrays

if TYPE_CHECKING:
    from treering.parse.genai.facts import Facts
    from treering.parse.genai.rows import Rows

ERROR = 2
_TYPE = re.compile(r"\s*((?:[A-Za-z_]\w*\.)*[A-Z]\w*(?:Error|Exception|Timeout|Interrupt|Exit|Warning))\b")
_STATUS = re.compile(r"\b(?:Error code|status(?: code)?|HTTP)[: ]+([45]\d\d)\b")


def failed(rows: Rows) -> Any:
    """Return the rows whose status is an error that no `error.type` names."""
    code = rows.columns.get("status/code:l")
    if code is None:
        return np.zeros(0, dtype=np.int64)
    states = arrays.filled(code, Array([0], arrays.type_of("x:l")))
    wrong = states == ERROR
    if not bool(wrong.any()):
        return np.zeros(0, dtype=np.int64)
    return np.flatnonzero(wrong & ~rows.has("error.type"))


def derive(facts: Facts) -> dict[str, Any]:
    """Return `error.type` of a failed span, from its exception event, else from its status message."""
    for event in facts.events:
        held = event.get("attributes") if isinstance(event, dict) and event.get("name") == "exception" else None
        if isinstance(held, dict) and isinstance(held.get("exception.type"), str):
            return {"error.type": held["exception.type"]}
    text = str(facts.body or facts.attributes.get("langfuse.observation.status_message") or "")[:4000]
    if found := _TYPE.match(text):
        return {"error.type": found[1]}
    if found := _STATUS.search(text):
        return {"error.type": found[1]}
    return {}
