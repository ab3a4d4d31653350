"""What a request must satisfy before its body is read: a known host, the caller's own origin, a sufficient role."""

from __future__ import annotations

from typing import TYPE_CHECKING

from treering.core.access import is_loopback
from treering.web.problem import Problem

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from treering.core.access import Access

_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
HEADERS = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
}


def _authorization(headers: Mapping[str, str]) -> str:
    """Return what a caller shows for itself; Firehose has a header of its own for that and can send no other."""
    key = headers.get("x-amz-firehose-access-key", "")
    return headers.get("authorization") or (f"Bearer {key}" if key else "")


class Guard:
    """Lets requests of one listener pass or raises `Problem`."""

    def __init__(self, access: Access, host: str, allowed_hosts: Sequence[str] = ()) -> None:
        """Guard a listener on `host`; `allowed_hosts` are further names it may be called by."""
        self._access = access
        self._check_host = is_loopback(host)
        self._hosts = frozenset({"localhost", "127.0.0.1", "::1", host.lower(), *map(str.lower, allowed_hosts)})

    def check(self, method: str, headers: Mapping[str, str], role: str) -> None:
        """Raise `Problem` 403 or 401 unless the request may have an answer that needs `role`."""
        host = headers.get("host", "")
        # A web site can make its own name point to 127.0.0.1 (DNS rebinding), but not choose the Host header.
        if self._check_host and host and not self._known(host):
            raise Problem(403, f"the host {host[:80]!r} is not one of this server's names")
        origin = headers.get("origin")
        if origin is not None and method not in _SAFE and origin.partition("://")[2] != host:
            raise Problem(403, "requests from pages of other origins are refused")
        if self._access.open or role == "public":
            return
        allowed = self._access.allows(_authorization(headers), role)
        if allowed is None:
            raise Problem(401, "authentication is needed", {"www-authenticate": 'Basic realm="treering"'})
        if not allowed:
            raise Problem(403, f"this token does not have the role {role!r}")

    def _known(self, host: str) -> bool:
        name = host.lower()
        if name.startswith("["):
            name = name[1:].partition("]")[0]
        elif name.count(":") <= 1:
            name = name.partition(":")[0]
        return name in self._hosts or name.endswith(".localhost")
