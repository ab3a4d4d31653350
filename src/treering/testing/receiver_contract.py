"""What every receiver must do, whatever its protocol: subclass `ReceiverContract` in a test and fill in the hooks.

Four scenarios (a store that works, one that fails at random for now, one that fails for good, good items mixed with
bad ones), and in each the conservation law: received = stored + rejected + dropped + in flight. Then what senders do
wrong: bodies cut off, empty, of other content, anything at all; and senders that hang up.
"""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from hypothesis import given, settings
from hypothesis import strategies as st

from treering.core.clock import ManualClock
from treering.core.errors import Permanent
from treering.core.telemetry import Telemetry
from treering.stage.source import Context
from treering.testing.sinks import FailingSink, RecordingSink, SlowSink

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from treering.stage.source import Sink

_REQUESTS, _PER_REQUEST, _MAX_TRIES = 20, 7, 200


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the sender was told: `accepted` items are durable, `retry` ones are to be sent again, others never."""

    accepted: int = 0
    retry: int = 0
    rejected: int = 0


class Sender(Protocol):
    """A client of the receiver under test."""

    async def send(self, body: bytes) -> Verdict:
        """Send one request and understand the answer. Fails the test on an answer that means a fault of ours."""
        ...

    async def close(self) -> None:
        """Release what `connect` opened."""
        ...


class ReceiverContract:
    """The suite. `mark` is the record's own text, by which it is found again."""

    # Whether the receiver itself asks a busy store again instead of telling the sender to.
    patient = False

    async def connect(self, context: Context) -> Sender:
        """Return a sender to a new receiver that works with `context`."""
        raise NotImplementedError

    def body(self, marks: Sequence[str]) -> bytes:
        """Return a request with one record per mark."""
        raise NotImplementedError

    def mixed(self, marks: Sequence[str], bad: int) -> bytes:
        """Return a request with one record per mark and `bad` unreadable items among them."""
        raise NotImplementedError

    def mark_of(self, record: dict[str, Any]) -> str:
        """Return the mark of a stored record."""
        raise NotImplementedError

    def test_everything_sent_is_stored_once_and_in_order(self) -> None:
        """The store works."""
        sink, context = _context()

        async def scenario(sender: Sender) -> list[str]:
            sent = []
            for number in range(_REQUESTS):
                marks = _marks(number)
                assert await sender.send(self.body(marks)) == Verdict(accepted=len(marks))
                sent += marks
            return sent

        sent = self._run(context, scenario)
        assert [self.mark_of(record) for record in sink.records()] == sent
        _check_books(context, stored=len(sent), rejected=0)

    def test_refusals_for_now_are_understood_as_such(self) -> None:
        """The store fails at random with `Retryable`; a sender that resends what it is told to loses nothing."""
        sink = RecordingSink()
        failing = FailingSink(sink, seed=11, rate=0.5)
        _, context = _context(failing)

        async def scenario(sender: Sender) -> list[str]:
            sent = []
            for number in range(_REQUESTS):
                marks = _marks(number)
                sent += marks
                for _ in range(_MAX_TRIES):
                    verdict = await sender.send(self.body(marks))
                    if verdict.accepted:
                        break
                    assert verdict == Verdict(retry=len(marks))
            return sent

        sent = self._run(context, scenario)
        assert failing.refused
        assert [self.mark_of(record) for record in sink.records()] == sent
        _check_books(context, stored=len(sent), rejected=0 if self.patient else failing.refused * _PER_REQUEST)

    def test_refusals_for_good_are_not_retried(self) -> None:
        """The store fails with `Permanent`."""
        failing = FailingSink(RecordingSink(), seed=5, rate=1.0, errors=[lambda: Permanent("never")])
        _, context = _context(failing)

        async def scenario(sender: Sender) -> list[str]:
            verdict = await sender.send(self.body(_marks(0)))
            assert verdict == Verdict(rejected=_PER_REQUEST)
            return []

        self._run(context, scenario)
        _check_books(context, stored=0, rejected=_PER_REQUEST)

    def test_bad_items_do_not_lose_their_neighbours(self) -> None:
        """Good items are stored, bad ones are rejected, and the sender is told how many."""
        sink, context = _context()
        marks = _marks(0)

        async def scenario(sender: Sender) -> list[str]:
            assert await sender.send(self.mixed(marks, 3)) == Verdict(accepted=len(marks), rejected=3)
            return marks

        self._run(context, scenario)
        assert [self.mark_of(record) for record in sink.records()] == marks
        _check_books(context, stored=len(marks), rejected=3)

    def test_bodies_that_are_cut_off_are_not_taken_for_whole(self) -> None:
        """Whatever is accepted of a truncated body are records that were in it."""
        marks = _marks(0)
        whole = self.body(marks)
        sink, context = _context()

        async def scenario(sender: Sender) -> list[str]:
            for length in sorted({*range(0, len(whole), max(1, len(whole) // 40)), len(whole) - 1}):
                before = sink.count
                verdict = await sender.send(whole[:length])
                assert verdict.retry == 0
                assert sink.count - before == verdict.accepted < len(marks)
            return []

        self._run(context, scenario)
        assert {self.mark_of(record) for record in sink.records()} <= set(marks)
        _check_books(context)

    def test_a_sender_that_hangs_up_leaves_the_books_closed(self) -> None:
        """The store is slow and the sender is gone before it is done."""
        sink = RecordingSink()
        _, context = _context(SlowSink(sink, seconds=0.05))

        async def scenario(sender: Sender) -> list[str]:
            sending = asyncio.ensure_future(sender.send(self.body(_marks(0))))
            await asyncio.sleep(0.01)
            sending.cancel()
            await asyncio.gather(sending, return_exceptions=True)
            await asyncio.sleep(0.2)
            return []

        self._run(context, scenario)
        _check_books(context)
        assert sum(balance.stored for balance in context.telemetry.conservation()) == sink.count

    def test_no_bytes_are_a_fault_of_ours(self) -> None:
        """Arbitrary bytes, and good requests with bytes changed, are answered and counted."""
        whole = self.body(_marks(0))

        @settings(deadline=None, max_examples=60)
        @given(st.lists(st.one_of(st.binary(max_size=300), _damaged(whole)), min_size=1, max_size=20))
        def fuzz(bodies: list[bytes]) -> None:
            failing = FailingSink(RecordingSink(), seed=3, rate=0.2)
            _, context = _context(failing)

            async def scenario(sender: Sender) -> list[str]:
                for body in bodies:
                    await sender.send(body)
                return []

            self._run(context, scenario)
            _check_books(context)

        fuzz()

    def _run(self, context: Context, scenario: Callable[[Sender], Awaitable[list[str]]]) -> list[str]:
        async def run() -> list[str]:
            sender = await self.connect(context)
            try:
                return await scenario(sender)
            finally:
                await sender.close()

        return asyncio.run(run())


def _context(sink: Sink | None = None) -> tuple[RecordingSink, Context]:
    recording = RecordingSink()
    return recording, Context(recording if sink is None else sink, ManualClock(), Telemetry())


def _marks(number: int) -> list[str]:
    return [f"record {number}.{index} é😀" for index in range(_PER_REQUEST)]


def _check_books(context: Context, stored: int | None = None, rejected: int | None = None) -> None:
    balances = context.telemetry.conservation()
    for balance in balances:
        assert balance.holds, balance
        assert balance.in_flight == 0, balance
    if stored is not None:
        assert sum(balance.stored for balance in balances) == stored
    if rejected is not None:
        assert sum(balance.rejected for balance in balances) == rejected


@st.composite
def _damaged(draw: st.DrawFn, whole: bytes) -> bytes:
    body = bytearray(whole)
    source = random.Random(draw(st.integers(0, 2**32)))  # noqa: S311  repeatable on purpose
    for _ in range(draw(st.integers(1, 8))):
        place = source.randrange(len(body) + 1)
        if source.random() < 0.5 and place < len(body):
            body[place] = source.randrange(256)
        else:
            body[place : place + source.randrange(4)] = bytes(source.randrange(256) for _ in range(source.randrange(4)))
        if not body:
            break
    return bytes(body)
