"""A file that only holds room: given up when the disk is full, so that opening, deleting and ageing out still work."""

from __future__ import annotations

import contextlib
import os
import shutil
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

_BYTES = 4 << 20
_FREE_BYTES = 4 * _BYTES
_LEAST_BYTES = _BYTES // 4


class Reserve:
    """The reserve of one data directory."""

    def __init__(self, folder: Path) -> None:
        """Keep the reserve in `folder`; give it up at once when there is hardly any room."""
        self._path = folder / "reserve"
        if shutil.disk_usage(folder).free < _LEAST_BYTES:
            self.release()
        else:
            with contextlib.suppress(OSError):
                self.renew()

    def release(self) -> bool:
        """Give the room up; returns whether there was any to give."""
        try:
            self._path.unlink()
        except FileNotFoundError:
            return False
        return True

    def renew(self) -> None:
        """Take the room again when there is plenty. Raises `OSError`."""
        if self._path.exists() or shutil.disk_usage(self._path.parent).free < _FREE_BYTES:
            return
        descriptor = os.open(self._path, os.O_CREAT | os.O_WRONLY, 0o600)
        try:
            os.posix_fallocate(descriptor, 0, _BYTES)
        except OSError:
            self._path.unlink()
            raise
        finally:
            os.close(descriptor)
