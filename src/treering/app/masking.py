"""What the configuration wants taken out of records before they are stored, and the key of the pseudonyms."""

from __future__ import annotations

import os
import secrets
from typing import TYPE_CHECKING

from treering.app.config import Masking as Wanted
from treering.core.errors import UserError, nearest

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from treering.app.config import Settings
    from treering.core.telemetry import Telemetry
    from treering.model.batch import Batch
    from treering.parse.sensitive.secrets import Kind

MASKED = "treering_masked_total"
_KEY, _BYTES = "masking.key", 32


def masking(settings: Settings, telemetry: Telemetry) -> Callable[[Batch], Batch]:
    """Return what masks batches as configured, counted by kind in `telemetry`. Raises `UserError`, `OSError`."""
    if not (wanted := kinds(settings.masking)):
        return lambda batch: batch
    from treering.parse.sensitive.masking import Masking

    return Masking(wanted, _key(settings.directory), lambda kind, rows: telemetry.add(MASKED, rows, kind=kind))


def kinds(wanted: Wanted) -> Sequence[Kind]:
    """Return the kinds of sensitive data that are masked. Raises `UserError` for an unknown one to be left out."""
    if wanted == Wanted():
        return ()  # most mask nothing, and reading the kinds takes time at each start
    from treering.parse.sensitive.personal import ADDRESSES, PERSONAL
    from treering.parse.sensitive.secrets import KINDS

    names = [kind.name for kind in (*KINDS, *PERSONAL, ADDRESSES)]
    for name in wanted.leave_out:
        if name not in names:
            raise UserError(f"masking: leave_out names no kind {name!r}", hint=nearest(name, names))
    groups = [(wanted.secrets, KINDS), (wanted.personal, PERSONAL), (wanted.ip_addresses, (ADDRESSES,))]
    return [kind for asked, some in groups if asked for kind in some if kind.name not in wanted.leave_out]


def _key(directory: Path) -> bytes:
    """Return the key of the data directory, made at the first time and readable by this user alone."""
    path = directory / _KEY
    try:
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(secrets.token_bytes(_BYTES))
            file.flush()
            os.fsync(file.fileno())
    except FileExistsError:
        pass
    key = path.read_bytes()
    if len(key) != _BYTES:
        raise UserError(
            f"{path} has {len(key)} bytes, a key has {_BYTES}",
            hint="remove it, and a new one is made: the same values get other pseudonyms from then on",
        )
    return key
