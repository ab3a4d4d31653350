"""Access logs in NCSA common and combined form (Apache, nginx and many others), with the fields people append.

After the combined fields nginx configurations commonly add the request time and the upstream's, a quoted
`X-Forwarded-For`, or `key=value` pairs; Apache adds the time taken.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from treering.core.config import Config
from treering.parse.pairs import logfmt
from treering.parse.regular import split_request, split_target
from treering.parse.severity import from_status
from treering.stage.parser import LineFormat

if TYPE_CHECKING:
    from collections.abc import Sequence

    from treering.stage.parser import Record, Times, Wrapped

_LINE = re.compile(
    r"(?:(?P<vhost>[\w.-]+(?::\d+)?) )?(\S+) (\S+) ([^\[\"]{1,256}?) \[([^\]]{10,40})\] "
    r'"((?:[^"\\]++|\\.)*+)" (\d{3}) (\d+|-)(?: "((?:[^"\\]++|\\.)*+)" "((?:[^"\\]++|\\.)*+)")?(?: (.*))?'
)
_REQUEST = re.compile(r"([A-Z]{3,20}) (\S+) HTTP/(\d(?:\.\d)?)")
_NUMBER = re.compile(r"\d+(?:\.\d+)?", re.ASCII)
_TIMES = re.compile(r"(\d+\.\d+)(?: (?:(\d+\.\d+)|-))?(?: \.)?", re.ASCII)


def parse(lines: Sequence[str], times: Times) -> list[Record | Wrapped | None]:
    """Return the records of access-log lines."""
    match = _LINE.fullmatch
    return [_record(found, times) if '] "' in line and (found := match(line)) else None for line in lines]


_OPTIONAL = ("user.name", "client.ident", "server.address", "http.request.header.referer", "user_agent.original")


def _record(found: re.Match[str], times: Times) -> Record | None:
    vhost, client, ident, user, stamp, request, status, size, referer, agent, rest = found.groups()
    moment = times(stamp)
    if moment is None:
        return None
    code = int(status)
    attributes: dict[str, Any] = {"client.address": client}
    _requested(attributes, request)
    attributes["http.response.status_code"] = code
    if size != "-":
        attributes["http.response.body.size"] = int(size)
    optional = zip(_OPTIONAL, (user, ident, vhost, referer, agent), strict=True)
    attributes.update((name, text) for name, text in optional if text and text != "-")
    if rest:
        _appended(attributes, rest)
    return {"@timestamp": moment, "severityNumber": from_status(code), "body": request, "attributes": attributes}


def _requested(attributes: dict[str, Any], request: str) -> None:
    parts = _REQUEST.fullmatch(request)
    if parts is None:
        split_request(attributes, request)
        return
    method, target, version = parts.groups()
    attributes["http.request.method"] = method
    if target[0] == "/" and "?" not in target:
        attributes["url.path"] = target
    else:
        split_target(attributes, target)
    attributes["network.protocol.version"] = version


def _appended(attributes: dict[str, Any], rest: str) -> None:
    """Read what a configuration puts after the combined fields."""
    text = rest.strip()
    if text.startswith('"') and (end := text.find('"', 1)) > 0:
        if (value := text[1:end]) != "-":
            attributes["http.request.header.x-forwarded-for"] = value
        text = text[end + 1 :].strip()
    if found := _TIMES.fullmatch(text):
        attributes["http.server.request.duration"] = float(found[1])
        if found[2]:
            attributes["nginx.upstream_response_time"] = float(found[2])
    elif text.isdigit() and len(text) < 13:
        # Apache's %D: microseconds.
        attributes["http.server.request.duration"] = int(text) / 1e6
    elif text:
        pairs, extent = logfmt(text)
        for key, value in pairs.items():
            attributes[_KNOWN.get(key, key)] = value
        if left := text[extent:].strip():
            attributes["log.rest"] = left


_KNOWN = {
    "rt": "http.server.request.duration",
    "request_time": "http.server.request.duration",
    "urt": "nginx.upstream_response_time",
    "upstream_response_time": "nginx.upstream_response_time",
}


def build(config: Config) -> LineFormat:  # noqa: ARG001  nothing to configure
    """Return the format."""
    return LineFormat(name="access", hint=r'[^\"]+\] "', title="common and combined access log", parse=parse, rank=20)
