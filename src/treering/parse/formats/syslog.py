"""Syslog: RFC 5424, RFC 3164 as programs really write it, and the files that syslog daemons and journalctl make of it.

Frames (octet counts, NUL or LF ends) are the receiver's business; here is one message. The text is kept as it stands,
a leading space included; when it has a format of its own (JSON, an access log) that is parsed too.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from treering.core.config import Config
from treering.parse.severity import SYSLOG_NAMES, from_syslog
from treering.stage.parser import LineFormat, Wrapped

if TYPE_CHECKING:
    from collections.abc import Sequence

    from treering.stage.parser import Record, Times

_PRIORITY = re.compile(r"<(\d{1,3})>")
_RFC5424 = re.compile(r"(\d{1,2}) (\S{1,48}) (\S{1,255}) (\S{1,48}) (\S{1,128}) (\S{1,32}) ?")
_ELEMENT = re.compile(r"\[([^\s=\]\"]{1,64})")
_PARAMETER = re.compile(r' ([^\s=\]"]{1,64})="((?:[^"\\\]]++|\\.|\](?!\s|\[|$))*+)"', re.DOTALL)
_STAMP = re.compile(
    r"((?:[^\W\d_]{3}\.? {1,2}\d{1,2} (?:\d{4} )?\d\d:\d\d:\d\d(?:[.,]\d{1,9})?)|"
    r"(?:\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\S{0,16}))(?: [A-Z]{3,4})?:? "
)
_TAG = re.compile(r"([^\s:\[\]<>=\"{}]{1,64})(?:\[([^\]]{0,64})\])?:(?: |$)")
_HOST = re.compile(r"([A-Za-z0-9_.:@/-]{1,255}) ")
_UNESCAPE = re.compile(r'\\(["\\\]])')


def parse(lines: Sequence[str], times: Times) -> list[Record | Wrapped | None]:
    """Return what each message carries, and its header around it."""
    return [_message(line, times) if line[:1] == "<" else _from_file(line, times) for line in lines]


def _message(line: str, times: Times) -> Wrapped | None:
    found = _PRIORITY.match(line)
    if found is None or (priority := int(found[1])) > 191:
        return None
    facility, severity = divmod(priority, 8)
    attributes: dict[str, Any] = {
        "log.syslog.facility.code": facility,
        "log.syslog.severity.code": severity,
    }
    outer: Record = {
        "severityText": SYSLOG_NAMES[severity],
        "severityNumber": from_syslog(severity),
        "attributes": attributes,
    }
    rest = line[found.end() :]
    payload = _rfc5424(outer, rest, times)
    if payload is None:
        payload = _rfc3164(outer, rest, times)
    key = f"{outer.get('serviceName')}/{attributes.get('process.pid')}"
    return Wrapped(outer, payload, key, guess=False, single=True)


def _rfc5424(outer: Record, text: str, times: Times) -> str | None:
    found = _RFC5424.match(text)
    if found is None or not (found[2] == "-" or "T" in found[2]):
        return None
    _, stamp, host, application, process, message_id = found.groups()
    if stamp != "-":
        moment = times(stamp)
        if moment is None:
            return None
        outer["@timestamp"] = moment
    attributes = outer["attributes"]
    _origin(outer, host, application, process)
    if message_id != "-":
        attributes["log.syslog.msgid"] = message_id
    data, position = _structured_data(text, found.end())
    if data:
        attributes["log.syslog.structured_data"] = data
    if text[position : position + 1] == " ":
        position += 1
    return text[position:].removeprefix("\ufeff")


def _structured_data(text: str, position: int) -> tuple[dict[str, dict[str, str]], int]:
    """Return the elements (RFC 5424 section 6.3) that begin at `position` and where they end."""
    data: dict[str, dict[str, str]] = {}
    if text[position : position + 1] == "-":
        return data, position + 1
    start = position
    while found := _ELEMENT.match(text, position):
        parameters: dict[str, str] = {}
        position = found.end()
        while parameter := _PARAMETER.match(text, position):
            parameters[parameter[1]] = _UNESCAPE.sub(r"\1", parameter[2])
            position = parameter.end()
        if text[position : position + 1] != "]":
            return {}, start
        data[found[1]] = parameters
        position += 1
    return data, position


def _origin(outer: Record, host: str, application: str, process: str) -> None:
    if host != "-":
        outer["resource"] = {"attributes": {"host.name": host}}
    if application != "-":
        outer["serviceName"] = application
    if process and process != "-":
        if process.isascii() and process.isdigit() and len(process) < 19:
            outer["attributes"]["process.pid"] = int(process)
        else:
            outer["attributes"]["log.syslog.procid"] = process


def _rfc3164(outer: Record, text: str, times: Times) -> str:
    """Read whatever of the old header is there; a message without one is all text."""
    found = _STAMP.match(text)
    if found is None or (moment := times(found[1])) is None:
        tag = _TAG.match(text)
        if tag is None or not tag[2]:
            return text
        _origin(outer, "-", tag[1], tag[2])
        return text[tag.end() :]
    outer["@timestamp"] = moment
    rest = text[found.end() :]
    if (tag := _TAG.match(rest)) is not None:
        _origin(outer, "-", tag[1], tag[2] or "")
        return rest[tag.end() :]
    host = _HOST.match(rest)
    if host is None:
        return rest
    rest = rest[host.end() :]
    tag = _TAG.match(rest)
    _origin(outer, host[1], tag[1] if tag else "-", (tag[2] or "") if tag else "")
    return rest[tag.end() :] if tag else rest


def _from_file(line: str, times: Times) -> Wrapped | None:
    """Read a line of /var/log/syslog or `journalctl -o short*`: no priority, so host and tag must be there."""
    found = _STAMP.match(line)
    if found is None:
        return None
    host = _HOST.match(line, found.end())
    if host is None:
        return None
    tag = _TAG.match(line, host.end())
    if tag is None or (moment := times(found[1])) is None:
        return None
    outer: Record = {"@timestamp": moment, "attributes": {}}
    _origin(outer, host[1], tag[1], tag[2] or "")
    return Wrapped(outer, line[tag.end() :], f"{tag[1]}/{tag[2]}", single=True)


def build(config: Config) -> LineFormat:  # noqa: ARG001  nothing to configure
    """Return the format."""
    return LineFormat(
        name="syslog",
        hint=rf"<\d{{1,3}}>|{_STAMP.pattern}",
        title="syslog (RFC 3164, RFC 5424, files)",
        parse=parse,
        rank=30,
    )
