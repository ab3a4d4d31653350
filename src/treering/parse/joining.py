"""From lines to records: lines that belong together are joined, lines inside wrappers are parsed again.

A stream is a node; a wrapper's payloads go to a child node per key, so that the lines of one container, process or rank
find each other among those of the others.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from treering.parse import stacktraces
from treering.parse.fields import Document, shape
from treering.parse.holding import Held
from treering.parse.lines import clean_text
from treering.parse.recognise import Recogniser
from treering.parse.records import surround
from treering.parse.times import DAY, TimeParser
from treering.stage.parser import Wrapped

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from treering.stage.parser import LineFormat, Record

    Tagged = tuple[Record, Record | None]

MAX_PARTIAL = 16 << 20
MAX_CHILDREN = 256
# After this many lines of others a record inside a wrapper no longer waits for lines of its own.
PATIENCE = 512
MAX_DEPTH = 4
TEXT = "text"


class Node:
    """The lines of one stream, in order, to records.

    A tag is what surrounds a line (a wrapper's record, the bytes of a line that is no UTF-8); a record carries the tag
    of its first line. `count` is told the format of each line.
    """

    def __init__(
        self,
        times: TimeParser,
        count: Callable[[str], None],
        *,
        guess: bool = True,
        single: bool = False,
        depth: int = 0,
        path: str = "",
    ) -> None:
        """Read instants with `times`; `guess`, `single` as in `Wrapped`; `path` names the `depth` wrappers around."""
        self.times = times
        self.count = count
        self.single = single
        self.depth = depth
        self.path = path
        self.recogniser = Recogniser(times, guess=guess)
        self.held: dict[str, Held] = {}
        self.children: dict[str, Node] = {}
        self.partial: dict[str, Wrapped] = {}
        self.clock = 0
        self.touched = 0

    def take(
        self, lines: Sequence[str], tags: Sequence[Record | None] | None = None, keys: Sequence[str] | None = None
    ) -> list[Tagged]:
        """Return the records that are complete; one per key may be held back until the next line or `rest`."""
        out: list[Tagged] = []
        run: list[tuple[LineFormat, Wrapped]] = []
        for index, (form, entry) in enumerate(self.recogniser.explain(lines)):
            tag = tags[index] if tags is not None else None
            key = keys[index] if keys is not None else ""
            if form is not None and isinstance(entry, Wrapped) and self.depth < MAX_DEPTH:
                self._close(key, out)
                if tag:
                    entry.outer = surround(tag, entry.outer)
                run.append((form, entry))
                continue
            if run:
                self._unwrap(run, out)
                run = []
            if self.single:
                self._expire(out)
            if form is None or entry is None or isinstance(entry, Wrapped):
                self._text(lines[index], tag, key, out)
            else:
                self._record(form, entry, tag, key, out)
        if run:
            self._unwrap(run, out)
        return out

    def rest(self) -> list[Tagged]:
        """Return the records that were held back; the stream may go on afterwards."""
        out: list[Tagged] = []
        for key in list(self.held):
            self._close(key, out)
        for key in list(self.partial):
            self._give_up(key, out)
        for child in self.children.values():
            out += child.rest()
        return out

    def settle(self, out: list[Tagged]) -> None:
        """Add the records that were held back outside wrappers to `out`: lines of others came after them."""
        for key in list(self.held):
            self._close(key, out)

    def _record(self, form: LineFormat, record: Record, tag: Record | None, key: str, out: list[Tagged]) -> None:
        self.count(self.path + form.name)
        if self.held and (held := self.held.get(key)) is not None:
            if held.takes_record(form, record, tag):
                return
            self._close(key, out)
        if form.multiline and not self.single:
            self.held[key] = Held(record, form, tag, self.clock)
        elif self.depth and type(record) is Document:
            out.append((shape(dict(record), self.times, force=True) or {}, tag))
        else:
            out.append((record, tag))

    def _text(self, line: str, tag: Record | None, key: str, out: list[Tagged]) -> None:
        held = self.held.get(key)
        if held is not None and held.takes(line, tag):
            self.count(self.path + (held.form.name if held.form else TEXT))
            return
        self._close(key, out)
        self.count(self.path + TEXT)
        if self.single and not stacktraces.opens(line):
            out.append(({"body": line}, tag))
        else:
            self.held[key] = Held({"body": line}, None, tag, self.clock)

    def _close(self, key: str, out: list[Tagged]) -> None:
        held = self.held.pop(key, None)
        if held is not None:
            out.append((held.finished(), held.tag))

    def _expire(self, out: list[Tagged]) -> None:
        self.clock += 1
        while self.held:
            key = next(iter(self.held))
            if self.clock - self.held[key].since < PATIENCE:
                break
            self._close(key, out)

    def _unwrap(self, run: list[tuple[LineFormat, Wrapped]], out: list[Tagged]) -> None:
        """Hand payloads to their children, neighbours of one key together."""
        lines: list[str] = []
        tags: list[Record | None] = []
        keys: list[str] = []
        child: Node | None = None
        for form, entry in run:
            for part in (entry, *entry.more):
                whole = self._whole(form, part, out)
                if whole is None:
                    continue
                target = self._child(form.name, whole)
                idle = self._idle()
                if child is not None and (target is not child or idle or target.strays(whole.outer)):
                    out += child.take(lines, tags, keys)
                    lines, tags, keys = [], [], []
                for other in idle:
                    out += other.rest()
                child = target
                child.refer(whole.outer)
                texts, outers = _payload(whole)
                if not texts:
                    self.count(self.path + form.name)
                lines += texts
                tags += outers
                keys += [part.key if whole.single else ""] * len(texts)
        if child is not None and lines:
            out += child.take(lines, tags, keys)

    def _idle(self) -> list[Node]:
        """Return the children that got nothing for so long that what they hold back should wait no longer."""
        idle: list[str] = []
        for key, child in self.children.items():
            if self.clock - child.touched < PATIENCE and len(self.children) - len(idle) <= MAX_CHILDREN:
                break
            idle.append(key)
        return [self.children.pop(key) for key in idle]

    def _whole(self, form: LineFormat, part: Wrapped, out: list[Tagged]) -> Wrapped | None:
        """Return a payload with the pieces that came before it, or None while it is incomplete."""
        key = f"{form.name}/{part.key}"
        begun = self.partial.pop(key, None)
        if begun is not None:
            self.count(self.path + form.name)
            begun.payload += part.payload
            begun.complete = part.complete
            part = begun
        if part.complete or len(part.payload) > MAX_PARTIAL:
            return part
        self.partial[key] = part
        if len(self.partial) > MAX_CHILDREN:
            self._give_up(next(iter(self.partial)), out)
        return None

    def _give_up(self, key: str, out: list[Tagged]) -> None:
        """Take a payload whose end did not come as it is."""
        entry, name = self.partial.pop(key), key.partition("/")[0]
        texts, outers = _payload(entry)
        if not texts:
            self.count(self.path + name)
        out += self._child(name, entry).take(texts, outers)

    def _child(self, name: str, entry: Wrapped) -> Node:
        """Return the node of a payload; the most recently used one is the last of `children`."""
        key = name if entry.single else f"{name}/{entry.key}"
        child = self.children.pop(key, None)
        if child is None:
            child = Node(
                TimeParser(self.times.zone, self.times.reference_ns),
                self.count,
                guess=entry.guess,
                single=entry.single,
                depth=self.depth + 1,
                path=f"{self.path}{name}:",
            )
        self.children[key] = child
        self.clock += 1
        child.touched = self.clock
        return child

    def strays(self, outer: Record) -> bool:
        """Whether a wrapper's time is so far from this node's reference that dates without a year may be misread."""
        moment, reference = outer.get("@timestamp"), self.times.reference_ns
        return moment is not None and (reference is None or abs(moment - reference) > DAY // 2)

    def refer(self, outer: Record) -> None:
        """Place dates without a year by the time that the wrapper states."""
        if self.strays(outer):
            self.times.refer(outer["@timestamp"])


def _payload(entry: Wrapped) -> tuple[list[str], list[Record | None]]:
    text = entry.payload
    if "\n" in text or "\r" in text or "\x1b" in text or "\0" in text:
        lines = [line for line in clean_text(text) if line and not line.isspace()]
    else:
        lines = [text] if text and not text.isspace() else []
    return lines, [entry.outer] * len(lines)
