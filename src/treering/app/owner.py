"""Who serves a data directory: a note in it that tells commands where the running server is."""

from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from pathlib import Path

_NAME = "server.json"


class Owner(msgspec.Struct, frozen=True):
    """The server that has the directory: its process, its address, and a secret for commands on this machine."""

    pid: int
    address: str
    token: str


def announce(directory: Path, address: str, token: str) -> Owner:
    """Write the note, readable by this user alone, and return it."""
    owner = Owner(os.getpid(), address, token)
    temporary = directory / f"{_NAME}.{owner.pid}"
    with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(msgspec.json.encode(owner))
    temporary.replace(directory / _NAME)
    return owner


def find(directory: Path) -> Owner | None:
    """Return the running server of `directory`, or None when there is none."""
    try:
        owner = msgspec.json.decode((directory / _NAME).read_bytes(), type=Owner)
        host, _, port = owner.address.rpartition("//")[2].rpartition(":")
        # A killed server leaves its note behind, and its number may be another process's: only an open port counts.
        socket.create_connection((host.strip("[]"), int(port)), timeout=2).close()
    except (OSError, ValueError, msgspec.DecodeError):
        return None
    return owner


def withdraw(directory: Path, owner: Owner) -> None:
    """Remove the note if it is still this one."""
    note = directory / _NAME
    try:
        if msgspec.json.decode(note.read_bytes(), type=Owner) == owner:
            note.unlink()
    except (OSError, msgspec.DecodeError):
        return
