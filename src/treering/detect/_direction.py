"""Which way a text goes, and to whom: into a model, out of it, to a tool, into a log."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from treering.detect._texts import ASSISTANT
from treering.detect._values import parts

if TYPE_CHECKING:
    from treering.detect._whom import Whom

IN, OUT, TO_TOOL, TO_LOG = "into model", "out of model", "to tool", "to log"

_ARGUMENT = re.compile(r"[\"']([\w .-]{1,40})[\"']\s*:\s*[\[{]?\s*[\"']?[^\"']{0,40}$")
_ACCOUNTS = "iban account recipient beneficiary creditor payee to from sender number"
_MONEY = "pay payment payments transfer transaction transactions money wire remit bank iban invoice bill debit refund"
_DUE = {
    "password": ("password passwd passphrase credentials login signin", "password passwd passphrase pass pwd new old"),
    "iban": (_MONEY, _ACCOUNTS),
}
"""Rule → words of tools that are there to be given such values, and of the arguments that take them."""


def is_due(rule: str, tool: str, arguments: str, at: int) -> bool:
    """Return whether a secret at a place in a tool's arguments is what the tool is there for, as to set a password."""
    tools, names = _DUE.get(rule, ("", ""))
    if not set(parts(tool)).intersection(tools.split()):
        return False
    found = _ARGUMENT.search(arguments, max(0, at - 100), at)
    return found is not None and bool(set(parts(found[1])).intersection(names.split()))


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
