"""Messages that arrive one by one (syslog, HEC, Loki, CloudWatch): each is one record, whatever its text is.

A file's lines are joined by `treering.parse.reader`; a protocol that frames its messages has said already where each
begins and ends. The text is explained when it has a format of its own; otherwise it is the body as it stands. What the
protocol says beside the text is around it, as `treering.parse.records.surround` has it.
"""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

from treering.parse import stacktraces
from treering.parse.fields import Document, shape
from treering.parse.formats.json_lines import decode_object
from treering.parse.lines import clean_text
from treering.parse.recognise import Recogniser
from treering.parse.records import RAW, surround
from treering.parse.severity import ERROR, WARN
from treering.parse.times import TimeParser
from treering.stage.parser import Wrapped

if TYPE_CHECKING:
    from collections.abc import Sequence

    from treering.stage.parser import LineFormat, Record, Times

    Message = tuple[Record, str]

_MAX_DEPTH = 4


def decoded(data: bytes) -> tuple[str, Record]:
    """Return the text of a message and what surrounds it: the bytes themselves where they are no UTF-8."""
    try:
        return data.decode(), {}
    except UnicodeDecodeError:
        return data.decode("utf-8", "replace"), {"attributes": {RAW: base64.b64encode(data).decode()}}


def around(outer: Record, inner: Record) -> Record:
    """Return `inner` with what is around it; attributes of `outer` that it contradicts are kept as `log.envelope`."""
    record = surround(outer, inner)
    said, own = outer.get("attributes"), inner.get("attributes")
    if said and own and not said.keys().isdisjoint(own):
        lost = {name: value for name, value in said.items() if name in own and own[name] != value}
        if lost:
            record["attributes"]["log.envelope"] = {**lost, **record["attributes"].get("log.envelope", {})}
    return record


def records(messages: Sequence[Message], now_ns: int) -> list[Record]:
    """Return one record per message, an outer record and a text, in order; `now_ns` dates texts without a year."""
    times = TimeParser(reference_ns=now_ns)
    out: list[Record] = [{}] * len(messages)
    _explain(list(enumerate(messages)), times, out, 0)
    return out


def _explain(messages: Sequence[tuple[int, Message]], times: Times, out: list[Record], depth: int) -> None:
    heads = [_cleaned(text).partition("\n")[0] or " " for _, (_, text) in messages]
    inside: list[tuple[int, Message]] = []
    entries = Recogniser(times, guess=False).explain(heads)
    for (index, (outer, text)), (form, entry) in zip(messages, entries, strict=True):
        if not text:
            out[index] = outer
        elif "\n" in text:
            out[index] = _several(outer, text, form, entry, times)
        elif isinstance(entry, Wrapped):
            wrapped = around(outer, entry.outer)
            if depth < _MAX_DEPTH and entry.complete and not entry.more:
                inside.append((index, (wrapped, entry.payload)))
            else:
                out[index] = around(outer, {"body": text})
        elif entry is None:
            out[index] = around(outer, {"body": text})
        else:
            out[index] = around(outer, _shaped(entry, times))
    if inside:
        _explain(inside, times, out, depth + 1)


def _cleaned(text: str) -> str:
    return "\n".join(clean_text(text)) if "\x1b" in text else text


def _shaped(entry: Record, times: Times) -> Record:
    return shape(dict(entry), times, force=True) or {} if type(entry) is Document else entry


def _several(outer: Record, text: str, form: LineFormat | None, entry: Record | Wrapped | None, times: Times) -> Record:
    """Return the record of a message of several lines: its text whole, with what its first line and its trace say."""
    if (fields := decode_object(text)) is not None:
        return around(outer, shape(fields, times, force=True) or {})
    record: Record = {"body": text}
    if form is not None and form.multiline and isinstance(entry, dict) and "body" in entry:
        record = {**entry, "body": entry["body"] + text[text.index("\n") :]}
    return surround(_trace(text), around(outer, record))


def _trace(text: str) -> Record:
    """Return what a stack trace in `text` says; the sender's own words go before it."""
    if not stacktraces.holds_trace("\n" + text) or (found := stacktraces.summary(text)) is None:
        return {}
    return {
        "severityNumber": WARN if found[0].endswith("Warning") else ERROR,
        "attributes": {"exception.type": found[0], "exception.message": found[1]},
    }
