"""Who may do what: bearer tokens with roles, kept as hashes.

Tokens are random and long, so one round of SHA-256 suffices (there is nothing to guess). Where no token is configured
everything is allowed, which is why a server without tokens listens on loopback only.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import ipaddress
import secrets
from typing import TYPE_CHECKING

from treering.core.config import Config
from treering.core.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Sequence

# What each role may ask for; "any" is what senders and readers alike ask before they begin.
ROLES: dict[str, frozenset[str]] = {
    "ingest": frozenset({"any", "ingest"}),
    "viewer": frozenset({"any", "viewer"}),
    "analyst": frozenset({"any", "viewer", "analyst"}),
    "admin": frozenset({"any", "ingest", "viewer", "analyst", "admin"}),
}


class Token(Config, frozen=True):
    """A token: its holder's name, the SHA-256 of the token in hexadecimal, and a role."""

    name: str
    sha256: str
    role: str


def new_token() -> str:
    """Return a new random token of 256 bits."""
    return secrets.token_urlsafe(32)


def digest(token: str) -> str:
    """Return what the configuration keeps of `token`."""
    return hashlib.sha256(token.encode()).hexdigest()


def is_loopback(host: str) -> bool:
    """Whether an address to listen on can be reached from this machine only."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


class Access:
    """Decides about requests."""

    def __init__(self, tokens: Sequence[Token] = ()) -> None:
        """Let the holders of `tokens` in, or everybody when there are none. Raises `UserError` for an unknown role."""
        self._tokens = [(token.name, token.sha256.lower(), token.role) for token in tokens]
        for name, _, role in self._tokens:
            if role not in ROLES:
                raise UserError(f"token {name!r} has the unknown role {role!r}", hint=f"roles: {', '.join(ROLES)}")

    @property
    def open(self) -> bool:
        """Whether nobody has to authenticate."""
        return not self._tokens

    def require_for(self, host: str) -> None:
        """Raise `UserError` when listening on `host` would let strangers in."""
        if self.open and not is_loopback(host):
            raise UserError(
                f"refusing to listen on {host} without authentication", hint="configure tokens, or listen on 127.0.0.1"
            )

    def role(self, authorization: str) -> str | None:
        """Return the role that an `Authorization` header gives: `Bearer`, `ApiKey`, or `Basic` with it as password."""
        if self.open:
            return "admin"
        found = self._holder(authorization)
        return None if found is None else found[1]

    def name(self, authorization: str) -> str:
        """Return who sends an `Authorization` header, for the history of changes: the name of the token's holder."""
        if self.open:
            return "someone on this machine"
        found = self._holder(authorization)
        return "unknown" if found is None else found[0]

    def _holder(self, authorization: str) -> tuple[str, str] | None:
        presented = digest(_secret(authorization))
        found = None
        for name, known, role in self._tokens:  # all of them, so that time tells nothing
            if hmac.compare_digest(presented, known):
                found = name, role
        return found

    def allows(self, authorization: str, needed: str) -> bool | None:
        """Return whether the header's holder has the role `needed`; None when it names nobody."""
        role = self.role(authorization)
        return None if role is None else needed in ROLES[role]


def _secret(authorization: str) -> str:
    scheme, _, credentials = authorization.strip().partition(" ")
    credentials = credentials.strip()
    if scheme.lower() == "basic":
        try:
            pair = base64.b64decode(credentials, validate=True).decode()
        except (binascii.Error, UnicodeDecodeError):
            return ""
        return pair.partition(":")[2]
    return credentials if scheme.lower() in ("bearer", "apikey", "splunk") else ""
