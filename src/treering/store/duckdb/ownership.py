"""One process owns a data directory; another one is told who."""

from __future__ import annotations

import fcntl
import os
from typing import TYPE_CHECKING, Any

import msgspec

from treering.core.errors import UserError

if TYPE_CHECKING:
    from pathlib import Path


class Lock:
    """The ownership of a directory, given up when the process ends in whatever way."""

    def __init__(self, folder: Path) -> None:
        """Own `folder`. Raises `UserError` naming the owner when another process does."""
        self._card = folder / "owner.json"
        self._descriptor = os.open(folder / "lock", os.O_CREAT | os.O_RDWR, 0o600)
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(self._descriptor)
            raise _taken(folder, owner(folder)) from error
        self._card.unlink(missing_ok=True)
        self.announce("")

    def announce(self, address: str) -> None:
        """Leave a card with this process's number and, where it serves, its address."""
        temporary = self._card.with_suffix(".tmp")
        temporary.write_bytes(msgspec.json.encode({"pid": os.getpid(), "address": address}))
        temporary.rename(self._card)

    def release(self) -> None:
        """Give the directory up."""
        self._card.unlink(missing_ok=True)
        os.close(self._descriptor)


def owner(folder: Path) -> dict[str, Any]:
    """Return the card of the process that owns `folder` (`pid`, `address`), empty when there is none."""
    try:
        card: dict[str, Any] = msgspec.json.decode((folder / "owner.json").read_bytes(), type=dict)
    except (OSError, msgspec.MsgspecError):
        return {}
    return card


def _taken(folder: Path, card: dict[str, Any]) -> UserError:
    pid, address = card.get("pid"), card.get("address")
    who = f"process {pid}" if pid else "another process"
    hint = f"ask the server at {address}" if address else "stop it, or use another --data directory"
    return UserError(f"{folder} is in use by {who}", hint=hint)
