"""Which texts of a batch need a closer look by detectors that read them: one compiled pass for all of them.

`wasm/screen.c` reads the columns as they are stored, JSON and all, and says of each text whether it may hold a phrase
of prompts.yaml, something encoded or disguised, a secret, a link, a document in tags, and whose messages. What it
passes over is read by nobody: nothing would be found there. What it does not pass over the detectors judge as ever.
"""

from __future__ import annotations

from functools import cache
from importlib import resources
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

import numpy as np

from treering.core.wasm import Instance, Trap
from treering.detect._automaton import automaton
from treering.detect._prompt_scan import scanner
from treering.model.buffers import Texts
from treering.parse.sensitive.personal import PERSONAL
from treering.parse.sensitive.secrets import KINDS, Around
from treering.parse.textview import fold

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from treering.detect._phrases import Phrases

    Flags = NDArray[np.uint16]

USER, OTHER, SECRET, LINK, TAG, SAID_USER, SAID_TOOL, SAID_SYSTEM, ODD, LEETED = (1 << bit for bit in range(10))
"""May hold: a phrase users or others may not say; a secret; a link; a closing tag; roles; a disguise; leetspeak."""
PHRASED = USER | OTHER | ODD
"""A text with none of these holds no phrase, whoever says it."""
LIKELY_USER, LIKELY_OTHER = 1 << 10, 1 << 11
"""Words that attacks are made of, more than is usual where people, or documents and logs, speak."""
EVERYTHING = (1 << 12) - 1
GATE = 1 << 17
"""Weights of words by which texts are likely."""
_PROGRAM = Path(__file__).parent / "wasm" / "screen.wasm"
_RULES = 128
_PIECE_BYTES, _MOST_BYTES = 1 << 20, 1 << 23
_MOST_PAGES = 700
_TASK_BYTES = 24
_NEVER = [2**31 - 1] * 2
_BEGINS = (Around.RUN, Around.NEAR, Around.FAR)
_FROM_START = sum(around.value for around in _BEGINS)
"""What is looked for from the start of its literal, so that its length has to be known."""
_AT_FIRST = (0x00, 0x01, 0x02, 0x03, 0x04, 0x20, 0x21, 0xFE)
_MARKS = {
    "://": LINK, "</": TAG, '"user"': SAID_USER, '"human"': SAID_USER, '"tool"': SAID_TOOL, '"function"': SAID_TOOL,
    '"tool_call_response"': SAID_TOOL, '"system"': SAID_SYSTEM, '"developer"': SAID_SYSTEM,
}  # fmt: skip
_OUT = np.dtype(
    [
        ("near", "<u8", 2),
        ("also", "<u8", 2),
        ("mark", "<u4"),
        ("check", "u1"),
        ("length", "u1"),
        ("unused", "u1", 2),
        ("block", "<u8"),
    ]
)


class _Literals:
    """What is to be done at the end of each literal."""

    def __init__(self, phrases: Phrases) -> None:
        self.outs: dict[bytes, Any] = {}
        for literal, owners in phrases.literals.items():
            for number in owners:
                if number < 0:
                    self._at(literal)["mark"] |= ODD
                else:
                    self._rule(literal, "near", number)
        for number, literals in enumerate(phrases.also):
            for literal in literals:
                self._rule(literal, "also", number)
        for literal, mark in _MARKS.items():
            self._at(literal)["mark"] |= mark
        for kind in (*KINDS, *PERSONAL):
            for literal in kind.literals:
                self._secret(fold(literal), kind.around)

    def _at(self, literal: str) -> Any:
        return self.outs.setdefault(literal.encode(), np.zeros(1, dtype=_OUT))[0]

    def _rule(self, literal: str, which: str, number: int) -> None:
        word, bit = divmod(number % _RULES, 64)
        self._at(literal)[which][word] |= np.uint64(1 << bit)

    def _secret(self, literal: str, around: Around) -> None:
        out = self._at(literal)
        if around is Around.ANYTHING:
            out["mark"] |= SECRET
        out["check"] |= around.value
        if around in _BEGINS:
            out["length"] = len(literal.encode())


def _joined(outs: list[Any]) -> Any:
    """Return what is to be done where several literals end."""
    whole = np.zeros(1, dtype=_OUT)[0]
    for out in outs:
        for name in ("near", "also", "mark", "check"):
            whole[name] |= out[0][name]
    lengths = {int(out[0]["length"]) for out in outs if out[0]["check"] & _FROM_START}
    if len(lengths) > 1:
        whole["mark"] |= SECRET
    whole["length"] = max(lengths, default=0)
    return whole


class Screen:
    """The compiled pass for the shipped phrases and those of further files. May be used by several threads."""

    def __init__(self, phrases: Phrases, *, weigh: bool = True) -> None:
        """Make the tables; without `weigh` no text is likely."""
        self._program = Instance(_PROGRAM)
        self._lock = Lock()
        self._pages: set[int] = set()
        self._room = self._size = 0
        made = _Literals(phrases)
        literals = list(made.outs)
        found = automaton(literals)
        outs = np.array([_joined([made.outs[literals[n]] for n in ends]) for ends in found.ends], dtype=_OUT)
        places = [self._kept(table) for table in (found.table, found.classes, outs, _masks(phrases))]
        self._program.call("begin", *places[:3], found.shift, found.first, places[3])
        weights, limits = _gate() if weigh else (np.zeros(GATE, np.int8), _NEVER)
        self._program.call("weigh", self._kept(weights), GATE, *limits)
        for number in _AT_FIRST:
            self._learn(number)

    def look(self, texts: Texts, *, json: bool) -> Flags:
        """Return the flags of each text; `json` says that they are JSON throughout."""
        offsets, count = texts.offsets, len(texts.offsets) - 1
        flags = np.zeros(count, dtype=np.uint16)
        first = 0
        with self._lock:
            while first < count:
                last = int(np.searchsorted(offsets, offsets[first] + _PIECE_BYTES, side="right")) - 1
                last = min(max(last, first + 1), count)
                flags[first:last] = self._piece(texts, first, last, json=json)
                first = last
        return flags

    def words(self, text: str) -> Any:
        """Return of each word of `text` which two weights count, as rows; to learn them."""
        raw = text.encode("utf-8", "replace")
        found = -(-len(raw) // 8) * 8
        self._make_room(9 * found + 64)
        for _ in range(3):
            self._program.memory(self._room, len(raw))[:] = np.frombuffer(raw, np.uint8)
            count = self._program.call("list", self._room, len(raw), self._room + found)
            if not (asked := self._program.call("asked")) or not self._asked(asked):
                break
        return self._program.memory(self._room + found, 4 * count).view("<u4").reshape(-1, 2).copy()

    def _piece(self, texts: Texts, first: int, last: int, *, json: bool) -> Flags:
        ends = (texts.offsets[first + 1 : last + 1] - texts.offsets[first]).astype("<u4")
        size, count = int(ends[-1]), last - first
        if not size:
            return np.zeros(count, dtype=np.uint16)
        if size > _MOST_BYTES:
            return np.full(count, EVERYTHING, dtype=np.uint16)
        after = _TASK_BYTES + -(-size // 8) * 8
        found = after + ends.nbytes
        self._make_room(found + 2 * count)
        room = self._program.memory(self._room, found)
        task = (self._room + _TASK_BYTES, self._room + after, count, int(json), self._room + found)
        room[:_TASK_BYTES].view("<u4")[: len(task)] = task
        room[_TASK_BYTES : _TASK_BYTES + size] = texts.data[texts.offsets[first] : texts.offsets[last]]
        room[after:] = ends.view(np.uint8)
        try:
            for _ in range(3):
                asked = self._program.call("screen", self._room)
                if not asked or not self._asked(asked):
                    break
        except Trap:
            return np.full(count, EVERYTHING, dtype=np.uint16)
        flags: Flags = self._program.memory(self._room + found, 2 * count).view("<u2").copy()
        return flags

    def _asked(self, count: int) -> bool:
        """Add the characters that were met for the first time; returns whether there is room for them."""
        place = self._program.call("asked_pages")
        numbers = self._program.memory(place, 4 * count).view("<u4").tolist()
        for number in numbers:
            if len(self._pages) >= _MOST_PAGES:
                return False
            self._learn(number)
        return True

    def _learn(self, number: int) -> None:
        """Tell how the 256 characters of a page are read."""
        read = [fold(chr(code)).encode("utf-8", "ignore") for code in range(number << 8, (number + 1) << 8)]
        lengths = np.array([len(text) + 1 for text in read])
        texts = np.frombuffer(b"".join(bytes([len(text)]) + text for text in read), dtype=np.uint8)
        places = self._kept(texts) + np.cumsum(lengths) - lengths
        self._program.call("add_page", number, self._kept(places.astype("<u4")))
        self._pages.add(number)

    def _kept(self, table: Any) -> int:
        """Return the place of a copy of `table` in the program's memory."""
        raw = np.ascontiguousarray(table).view(np.uint8).reshape(-1)
        place = self._reserved(raw.nbytes)
        self._program.memory(place, raw.nbytes)[:] = raw
        return place

    def _reserved(self, size: int) -> int:
        place = self._program.call("reserve", size)
        if not place:
            raise Trap("screen: out of memory")
        return place

    def _make_room(self, size: int) -> None:
        if size > self._size:
            self._size = size * 2
            self._room = self._reserved(self._size)


def _gate() -> tuple[Any, list[int]]:
    """Return the shipped weights of words, and the limits from which on texts are likely."""
    file = resources.files("treering.content") / "models" / "gate.npz"
    with file.open("rb") as raw, np.load(raw, allow_pickle=False) as held:
        return held["weights"], held["limits"].tolist()


def _masks(phrases: Phrases) -> Any:
    """Return three sets of rules: those that need nothing more than a literal, those of users, those of others."""
    masks = np.zeros((3, 2), dtype=np.uint64)
    for number, rule in enumerate(phrases.rules):
        word, bit = divmod(number % _RULES, 64)
        belongs = (not phrases.also[number], "user" in rule.roles, bool({"document", "tool"} & set(rule.roles)))
        for place, holds in enumerate(belongs):
            if holds:
                masks[place, word] |= np.uint64(1 << bit)
    return masks


@cache
def screen(files: tuple[str, ...] = ()) -> Screen:
    """Return the pass for the shipped phrases and those of `files`. Raises `UserError` for a wrong file."""
    return Screen(scanner(files).phrases)


def places(chosen: NDArray[np.bool_]) -> list[int]:
    """Return the numbers of the records that are chosen."""
    numbers: list[int] = np.flatnonzero(chosen).tolist()
    return numbers
