"""JSON that is not one object per line: objects printed over several lines, arrays of objects, and objects around one.

Audit exports, `aws logs`, `kubectl get -o json` and hand-made files look so. Each object becomes one line again; what
merely begins like JSON stays the lines it was. Of an object around an array of records (CloudTrail's `Records`, the
`items` of Kubernetes, `hits` of a search) only the records are kept.
"""

from __future__ import annotations

import re

import msgspec

from treering.parse import envelopes
from treering.parse.lines import Lines

MAX_BLOCK = 1 << 20
_MARKS = re.compile(r'"(?:[^"\\]++|\\.)*+"|[{}\[\]]')
# What may stand on the second line of a printed object or array; anything else is no JSON.
_SECOND = re.compile(r'\s*(?:"(?:[^"\\]|\\.)*"\s*:|[{}\]])')


class JsonBlocks:
    """Joins the lines of objects and takes arrays of objects apart, in one stream of lines."""

    def __init__(self) -> None:
        """Begin outside any object."""
        self.joined = 0
        self._lines: list[str] = []
        self._raw: bytes | None = None
        self._depth = 0
        self._size = 0
        self._array = False
        self._around: bool | None = None
        self._closing = self._outer = 0

    def feed(self, lines: Lines) -> Lines:
        """Return `lines` with printed JSON as one line per object; an unfinished object waits for its end."""
        if self._around is None and lines.texts:
            self._around = envelopes.opens(lines.texts[0])
        if not self._is_inside() and not any(_begins(text) for text in lines.texts):
            return lines
        out = Lines()
        for index, text in enumerate(lines.texts):
            self._take(text, lines.raws.get(index), out)
        return out

    def _is_inside(self) -> bool:
        return bool(self._lines or self._array or self._around or self._closing)

    def end(self) -> Lines:
        """Return the lines of an object that did not end."""
        out = Lines()
        self._give_up(out)
        self._array = False
        return out

    def _take(self, text: str, raw: bytes | None, out: Lines) -> None:
        if self._lines:
            self._go_on(text, raw, out)
        elif self._closing and not self._array:
            self._close(text, out)
        elif self._array and text.strip() in {"]", "],", ","}:
            self._array = text.strip() == ","
            self.joined += 1
        elif text.strip() == "{" and (self._array or text[0] == "{"):
            self._begin(text, raw)
        elif text.rstrip() in {"[", "[{", "[ {"}:
            self._array = True
            self._begin(text, raw)
        else:
            self._whole(text, raw, out)

    def _whole(self, text: str, raw: bytes | None, out: Lines) -> None:
        """Put out a line, or the objects of the array that it is or holds."""
        objects = envelopes.taken(text) if self._around else None
        if objects is None and text.startswith("[{"):
            objects = _array(text)
        for one in objects or [text]:
            _put(out, one, raw)
        self.joined -= len(objects) - 1 if objects else 0

    def _begin(self, text: str, raw: bytes | None) -> None:
        self._lines, self._raw, self._size = [text], raw, len(text)
        self._depth = text.count("{")

    def _go_on(self, text: str, raw: bytes | None, out: Lines) -> None:
        if (len(self._lines) == 1 and not _SECOND.match(text)) or self._size + len(text) > MAX_BLOCK:
            self._give_up(out)
            self._array = False
            self._take(text, raw, out)
            return
        if self._array and self._depth == 1 and text.replace(" ", "").replace("\t", "") == "},{":
            self._go_on("},", raw, out)
            self._begin("{", None)
            self.joined -= 1
            return
        if not self._array and text.rstrip().endswith("{") and (depth := self._opened(text)):
            self.joined += len(self._lines)
            self._array, self._closing, self._outer = True, depth, depth
            self._begin("{", None)
            return
        self._lines.append(text)
        self._size += len(text) + 1
        self._raw = raw if self._raw is None else self._raw if raw is None else self._raw + b"\n" + raw
        for mark in _MARKS.findall(text):
            self._depth += {"{": 1, "}": -1}.get(mark, 0)
        if self._depth <= 0:
            self._finish(out)

    def _opened(self, text: str) -> int:
        """Return how deep the array lies whose first record begins with `text`, in an object around it; 0 if none."""
        named = self._lines[-1] if text.strip() == "{" else text
        if self._depth > envelopes.DEEPEST or not envelopes.ARRAY.match(named):
            return 0
        return self._depth if envelopes.is_around(self._lines) else 0

    def _close(self, text: str, out: Lines) -> None:
        """Pass over what a list says of itself after its records; put out what it does not."""
        name = envelopes.key_of(text)
        if name is None or envelopes.is_of_lists(name) or self._closing > self._outer:
            self.joined += 1
        else:
            _put(out, text.strip(), None)
        for mark in _MARKS.findall(text):
            self._closing += {"{": 1, "}": -1}.get(mark, 0)
        self._closing = max(0, self._closing)
        self._outer = min(self._outer, self._closing)

    def _finish(self, out: Lines) -> None:
        block = " ".join(self._lines).strip()
        closes = self._array and block.endswith("]")
        text = block.removeprefix("[").strip() if self._array else block
        text = (text.removesuffix("]") if closes else text).strip().rstrip(",")
        if not text:
            # An array without objects, or its first bracket alone.
            self.joined += len(self._lines)
        elif _is_object(text):
            self.joined += len(self._lines) - 1
            _put(out, envelopes.inner(text) if self._closing else text, self._raw)
        else:
            self._give_up(out)
        self._lines, self._raw = [], None
        self._array = self._array and not closes

    def _give_up(self, out: Lines) -> None:
        for index, line in enumerate(self._lines):
            _put(out, line, self._raw if index == 0 else None)
        self._lines, self._raw = [], None


def _begins(text: str) -> bool:
    return text[0] == "[" if text[0] != "{" else len(text) < 3 and text.strip() == "{"


def _put(out: Lines, text: str, raw: bytes | None) -> None:
    if raw is not None:
        out.raws[len(out.texts)] = raw
    out.texts.append(text)


def _is_object(text: str) -> bool:
    try:
        return type(msgspec.json.decode(text)) is dict
    except (msgspec.DecodeError, RecursionError):
        return False


def _array(text: str) -> list[str] | None:
    """Return the objects of a JSON array in one line as lines, or None when it is none."""
    try:
        found = msgspec.json.decode(text.rstrip())
    except (msgspec.DecodeError, RecursionError):
        return None
    if type(found) is not list or not all(type(one) is dict for one in found):
        return None
    return [msgspec.json.encode(one).decode() for one in found]
