"""Whether a record of somebody's own shape says that something failed: by its status, its error, its state.

Batch results, usage and audit exports, run trees and events state no level; they have an HTTP status, an error that is
null where there was none, or a state in a word, somewhere inside. What is not named so is not judged.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_DEEPEST, _MOST_NODES, _MOST_ITEMS = 5, 400, 64
_LONGEST = 160
_STATUS = frozenset({
    "status", "status_code", "statuscode", "http.status_code", "http.response.status_code", "response_code",
    "responsecode", "http_status", "httpstatus", "httpstatuscode", "resultsignature", "sc-status", "status.code",
})  # fmt: skip
_ERROR = frozenset({"error", "errorcode", "error_code", "error.type", "exception", "errormessage", "error_message"})
_STATE = frozenset({"status", "state", "result", "outcome", "conclusion", "status_code", "status.code", "phase"})
_MESSAGE = (
    "message",
    "msg",
    "value",
    "reason",
    "detail",
    "status_message",
    "statusMessage",
    "errorMessage",
    "error_message",
)
_NAME = ("type", "code", "name")
_FAILED = frozenset({
    "error", "errored", "failed", "failure", "fail", "expired", "timeout", "timed_out", "timedout", "denied",
    "status_code_error", "node_fail", "out_of_memory", "out_of_me+", "oomkilled", "crashloopbackoff",
    "imagepullbackoff", "errimagepull", "createcontainererror", "evicted",
})  # fmt: skip
_FINE = frozenset({"", "none", "null", "false", "0", "ok", "success", "-"})
# A kind of result, where the same name says other things elsewhere.
_TYPES = frozenset({"errored", "expired"})


_ALL = frozenset({"request count", "requests", "num_requests", "n_requests", "total_requests", "# requests", "total"})
_BAD = frozenset({"failure count", "failures", "num_failures", "failed_requests", "failed", "# fails", "errors"})


def counted(fields: Mapping[str, Any]) -> tuple[int, int] | None:
    """Return requests and failures of a row that counts both, as load tests sum up; None for any other."""
    numbers = {name.lower(): value for name, value in fields.items() if type(value) is int and value >= 0}
    every = next((value for name, value in numbers.items() if name in _ALL), 0)
    failed = next((value for name, value in numbers.items() if name in _BAD), 0)
    return (every, failed) if 0 < failed <= every else None


class Outcome:
    """What one record says: `stated` whether anything of an outcome is in it, `reason` why it failed, if it did."""

    __slots__ = ("_nodes", "reason", "stated")

    def __init__(self, fields: Mapping[str, Any]) -> None:
        """Look through `fields`, what lies inside them too."""
        self.stated = False
        self.reason: str | None = None
        self._nodes = 0
        self._walk(fields, 0)

    def _walk(self, fields: Mapping[str, Any], depth: int) -> None:
        inner: list[Mapping[str, Any]] = []
        for key, value in fields.items():
            self._nodes += 1
            if self._nodes > _MOST_NODES:
                return
            if (reason := self._judge(key, value, fields)) is not None and self.reason is None:
                self.reason = reason[:_LONGEST]
            if type(value) is dict:
                inner.append(value)
            elif type(value) is list:
                inner += [item for item in value[:_MOST_ITEMS] if type(item) is dict]
        if depth < _DEEPEST and self.reason is None:
            for one in inner:
                self._walk(one, depth + 1)

    def _judge(self, key: str, value: Any, beside: Mapping[str, Any]) -> str | None:
        name = key.lower().removeprefix("attributes.")
        if name in _STATUS and (status := _status(value)) is not None:
            self.stated = True
            return _joined(f"status {status}", told(beside)) if status >= 400 else None
        if name in _STATE and type(value) is str:
            failed = value.lower() in _FAILED
            self.stated |= failed or value.lower() in _FINE or name != "result"
            return _joined(value, told({**beside, key: None})) if failed else None
        if name in _ERROR:
            self.stated = True
            return _error(value, beside)
        if name == "type" and type(value) is str and value in _TYPES:
            self.stated = True
            return _joined(value, told(beside))
        if beside.get("key") == "error" and key == "value":  # a tag of Jaeger's
            self.stated = True
            return "tag error" if value is True or value == "true" else None
        return None


def _error(value: Any, beside: Mapping[str, Any]) -> str | None:
    if type(value) is dict:
        return told(value) or ("error" if value else None)
    if type(value) is not str or value.strip().lower() in _FINE:
        return "error" if value is True else None
    more = next((beside[name] for name in _MESSAGE if type(beside.get(name)) is str and beside[name] != value), "")
    return _joined(value, more)


def _status(value: Any) -> int | None:
    number = int(value) if type(value) is str and len(value) == 3 and value.isascii() and value.isdigit() else value
    return number if type(number) is int and 100 <= number <= 599 else None


def first_text(fields: Mapping[str, Any], names: Sequence[str]) -> str:
    """Return the first text under one of `names` that says anything."""
    for name in names:
        text = fields.get(name)
        if isinstance(text, str) and text:
            return text
    return ""


def told(fields: Mapping[str, Any], depth: int = 0) -> str:
    """Return the message of an error and its name, wherever they stand inside."""
    message, name = first_text(fields, _MESSAGE), first_text(fields, _NAME)
    if message:
        return _joined(name, message)
    if depth < _DEEPEST:
        for key in ("error", "body", "errors", "exception", "values"):
            held = fields.get(key)
            held = held[0] if type(held) is list and held else held
            if type(held) is dict and (said := told(held, depth + 1)):
                return said
            if key == "error" and type(held) is str and held:
                return held
    return name if depth else ""


def _joined(first: str, second: str) -> str:
    first, second = first.partition("\n")[0], second.partition("\n")[0]
    return f"{first}: {second}" if first and second and first not in second else second or first
