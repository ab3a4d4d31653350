"""Which way a text goes, and to whom: into a model, out of it, to a tool, into a log."""

from __future__ import annotations

from typing import TYPE_CHECKING

from treering.detect._texts import ASSISTANT

if TYPE_CHECKING:
    from treering.detect._whom import Whom

IN, OUT, TO_TOOL, TO_LOG = "into model", "out of model", "to tool", "to log"


def direction(whom: Whom, row: int, role: str, field: str, source: str = "") -> tuple[str, str]:
    """Return where a text of record `row` goes and who receives it there, empty where the record does not say.

    `role` is who said it (`log` for what nobody said), `field` where it stands, `source` the tool of a call. Into a
    model: its name, else the service; out of it: the user, else the conversation, else the service; to a tool: its
    name; to a log: the service that writes it.
    """
    if role == "log":
        return TO_LOG, whom.service(row)
    if role == ASSISTANT and ("tool.call.arguments" in field or source):
        return TO_TOOL, source or whom.name("tool", row)
    if role == ASSISTANT and "output" in field:
        kinds = ("user", "session", "service")
        return OUT, next((name for kind in kinds if (name := whom.name(kind, row))), "")
    return IN, whom.name("model", row) or whom.service(row)
