"""Errors as values: what went wrong, one line of help, and where.

The five kinds say who has to act and whether trying again helps. Each protocol maps them to its own answers in
one table (see `treering.receive`). Messages are lower case, name the thing and the limit.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True, slots=True)
class Where:
    """A place in a text (query, rule, configuration) or in a batch of items.

    `offset` and `length` count characters of `text`; `item` is the index of a rejected item in what was sent.
    """

    text: str = ""
    offset: int = 0
    length: int = 1
    item: int | None = None

    def caret(self) -> str:
        """Return the line of `text` that holds `offset` with a caret line under it, or an empty string."""
        if not self.text:
            return ""
        start = self.text.rfind("\n", 0, self.offset) + 1
        end = self.text.find("\n", self.offset)
        line = self.text[start : len(self.text) if end < 0 else end]
        column = self.offset - start
        width = max(1, min(self.length, len(line) - column))
        return f"{line}\n{' ' * column}{'^' * width}"


class TreeringError(Exception):
    """Base of every error that treering raises on purpose."""

    def __init__(self, message: str, *, hint: str = "", where: Where | None = None) -> None:
        """Keep `message`, an optional one-line `hint` and the place it is about."""
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.where = where

    def __str__(self) -> str:
        """Return the message, the caret lines if there is a place, and the hint."""
        parts = [self.message]
        if self.where is not None and (caret := self.where.caret()):
            parts.append(caret)
        if self.hint:
            parts.append(f"hint: {self.hint}")
        return "\n".join(parts)

    def as_dict(self) -> dict[str, Any]:
        """Return the error for an API answer: message, hint and position."""
        out: dict[str, Any] = {"type": type(self).__name__, "message": self.message, "hint": self.hint}
        if self.where is not None:
            out["position"] = {"offset": self.where.offset, "length": self.where.length}
        return out


class UserError(TreeringError):
    """The caller's configuration, query or rule is wrong: exit code 2, HTTP 400. Never a bug of ours."""


class DecodeError(TreeringError):
    """One item cannot be read: it is rejected with this reason and its neighbours are kept."""


class Retryable(TreeringError):  # noqa: N818  named after what the sender does with it
    """Not now: the same request may succeed later. `retry_after_s` is the least wait."""

    def __init__(self, message: str, *, hint: str = "", retry_after_s: float = 1.0) -> None:
        """Keep the message and how many seconds the sender should wait."""
        super().__init__(message, hint=hint)
        self.retry_after_s = retry_after_s


class Permanent(TreeringError):  # noqa: N818  named after what the sender does with it
    """Never: sending the same request again fails again."""


class Bug(TreeringError):  # noqa: N818  it is one
    """An assumption of treering's own does not hold: exit code 70, please report."""


def nearest(name: str, known: Sequence[str]) -> str:
    """Return the hint for a name that is none of those `known`: the one that is most like it, else all of them."""
    near = difflib.get_close_matches(name, known, n=1)
    return f"did you mean {near[0]!r}?" if near else f"known: {', '.join(known)}"
