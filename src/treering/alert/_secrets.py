"""Secrets of receivers: given in the environment or in files, so that a configuration can be shown to anyone."""

from __future__ import annotations

import os
from pathlib import Path

from treering.core.errors import UserError

_MOST = 65_536


def secret(what: str, plain: str = "", env: str = "", file: str = "", *, needed: bool = True) -> str:
    """Return the value of `plain`, of the environment variable `env`, or of the first line of `file`.

    Raises `UserError` unless exactly one is given (none is allowed where it is not `needed`) and there.
    """
    given = [name for name in (plain, env, file) if name]
    if len(given) > 1 or (needed and not given):
        raise UserError(f"give {what} once", hint=f"as {what}, {what}_env or {what}_file")
    if env:
        value = os.environ.get(env, "")
        if not value:
            raise UserError(f"the environment variable {env!r} for {what} is not set")
        return value
    if file:
        try:
            with Path(file).open(encoding="utf-8") as opened:
                value = opened.read(_MOST).partition("\n")[0].strip()
        except (OSError, UnicodeDecodeError) as error:
            raise UserError(f"cannot read {what} from {file!r}") from error
        if not value:
            raise UserError(f"the file {file!r} for {what} is empty")
        return value
    return plain
