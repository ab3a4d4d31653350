"""Detectors that tell what they have to tell as they read a record, and keep one state."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Generic, TypeVar

import msgspec

from treering.detect._whom import restored

if TYPE_CHECKING:
    from treering.model.finding import Finding
    from treering.stage.detector import Ask

State = TypeVar("State", bound=msgspec.Struct)


class AsRead(Generic[State]):
    """What such detectors share; `__init__` sets the state, `observe` finds."""

    every_s = 0.0
    _state: State

    def tick(self, now_ns: int, ask: Ask | None) -> Sequence[Finding]:  # noqa: ARG002  nothing is due by time
        """Return nothing: all is told as it is read."""
        return ()

    def save(self) -> bytes:
        """Return what the detector has learnt."""
        return msgspec.msgpack.encode(self._state)

    def restore(self, state: bytes) -> None:
        """Go on from `state`; raises `ValueError`."""
        self._state = restored(state, type(self._state))
