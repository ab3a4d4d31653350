"""Clusters of masked messages: which words, besides those that a mask sees, are variable.

Shapes of the same length that differ in one place are laid side by side. A place becomes a placeholder when it has held
more different words than its kind of word has as a constant: two are enough for a value after `=`, a user name or a
qualified name, several are needed for plain words. Values of one kind may vary together. The idea of deciding by column
and by frequency is that of Brain (Yu et al., IEEE TSC 2023) and IPLoM; here it works on one shape after another, so a
shape that came earlier keeps its cluster.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from treering.parse.masks import WILD

if TYPE_CHECKING:
    from collections.abc import Sequence

Shape = tuple[str, ...]

_QUALIFIED = re.compile(r"[A-Za-z_$][\w$-]*(?:\.[A-Za-z_$][\w$-]*){2,}|[^/\\@]*[/\\@].*")
_COMPOUND = re.compile(r"\w*[a-zA-Z]_\w+|\w+\.\w+|\w+(?:-\w+)+")
_CAMEL = re.compile(r"[a-z]+[A-Z]\w*|[A-Z][a-z]+[A-Z]\w*")
_WORD = re.compile(r"[\w*/.-]")
_ALWAYS = frozenset({"value", "user", "qualified", "opening qualified"})
# How many different words make a place variable. The first word of a message is often its verb or its subject.
_ENOUGH = {
    "value": 2, "user": 2, "qualified": 2, "letter": 3, "bracketed": 3, "compound": 4, "camel": 6, "plain": 6,
    "opening qualified": 3, "opening compound": 8, "opening camel": 10, "opening plain": 10,
}  # fmt: skip
_MAX_DEPTH = 12
_MAX_MEMBERS = 64
_MAX_WORDS = 20


class _Group:
    """The shapes that are equal but for places whose kind varies easily."""

    __slots__ = ("columns", "members", "wild")

    def __init__(self) -> None:
        self.members: list[int] = []
        self.columns: dict[int, set[str]] = {}
        self.wild: set[int] = set()


class Opening(NamedTuple):
    """A shape, the places of it that were opened by clustering, and its cluster's number."""

    shape: Shape
    wild: list[int]
    root: int


class Clusters:
    """Puts shapes into clusters; numbers grow, and the lower number of two that merge stays."""

    def __init__(self) -> None:
        """Begin without any shape."""
        self.shapes: dict[Shape, int] = {}
        self.tokens: list[Shape] = []
        self._parent: list[int] = []
        self._opened: dict[int, set[int]] = {}
        # By hole (a shape without one of its words): the only shape that has it, several, or none once it is open.
        self._holes: dict[int, int | list[int] | None] = {}
        self._groups: dict[Shape, _Group] = {}

    def __len__(self) -> int:
        """Return the number of shapes seen, merged ones included."""
        return len(self._parent)

    def root(self, number: int) -> int:
        """Return the number of the cluster that `number` belongs to now."""
        parent = self._parent
        while parent[number] != number:
            parent[number] = parent[parent[number]]
            number = parent[number]
        return number

    def place(self, shape: Shape, depth: int = 0) -> int:
        """Return the cluster of `shape`, which may open a place in it and in its neighbours."""
        known = self.shapes.get(shape)
        if known is not None:
            return self.root(known)
        number = self._new(shape)
        words = _words(shape)
        if depth > _MAX_DEPTH or len(words) < 2:
            return number
        kinds = {at: _kind(shape, at) for at in words}
        easy = [at for at in words if kinds[at] in _ALWAYS]
        if easy and len(easy) < len(words) and (merged := self._vary_together(number, easy, kinds, depth)) is not None:
            return merged
        return self._vary_alone(number, words, kinds, depth)

    def _new(self, shape: Shape) -> int:
        number = len(self._parent)
        self._parent.append(number)
        self.tokens.append(shape)
        self.shapes[shape] = number
        return number

    def _merge(self, one: int, other: int) -> int:
        one, other = self.root(one), self.root(other)
        low, high = min(one, other), max(one, other)
        self._parent[high] = low
        return low

    def _adopt(self, members: Sequence[int], opened: Shape, places: set[int], depth: int) -> int:
        """Merge `members` into the cluster of the shape with opened places, which gives them its text."""
        target = self.place(opened, depth + 1)
        text = self.tokens[target]
        self._opened.setdefault(self.shapes[opened], set()).update(places)
        for member in members:
            target = self._merge(member, target)
        self.tokens[target] = text
        return target

    def _vary_together(self, number: int, easy: list[int], kinds: dict[int, str], depth: int) -> int | None:
        shape = self.tokens[number]
        group = self._group(shape, easy)
        for at in easy:
            seen = group.columns.setdefault(at, set())
            if at not in group.wild:
                seen.add(shape[at])
                if len(seen) >= _ENOUGH[kinds[at]]:
                    group.wild.add(at)
        group.wild.update(at for at, token in enumerate(shape) if token == WILD and at in group.columns)
        if len(group.members) < _MAX_MEMBERS:
            group.members.append(number)
        if not group.wild:
            return None
        opened = _open(shape, group.wild)
        if opened == shape:
            return None
        alike = [member for member in group.members if _open(self.tokens[member], group.wild) == opened]
        group.members = [member for member in group.members if member not in alike]
        return self._adopt([*alike, number], opened, group.wild, depth)

    def _group(self, shape: Shape, easy: list[int]) -> _Group:
        key = _open(shape, set(easy))
        group = self._groups.get(key)
        if group is None:
            group = self._groups[key] = _Group()
        return group

    def _vary_alone(self, number: int, words: list[int], kinds: dict[int, str], depth: int) -> int:
        shape = self.tokens[number]
        firm = sum(kinds[at] != "value" for at in words)
        for at, key in _hole_keys(shape, words):
            kind = kinds[at]
            if kind == "name" or firm - (kind != "value") < 1:
                continue
            members = self._holes.get(key, ())
            if members == ():
                self._holes[key] = number
                continue
            together = [] if members is None else [members] if isinstance(members, int) else list(members)
            together.append(number)
            if members is None or len(together) >= _ENOUGH[kind]:
                self._holes[key] = None
                return self._adopt(together, _open(shape, {at}), {at}, depth)
            self._holes[key] = together
        return number

    def openings(self) -> list[Opening]:
        """Return what a later process needs to go on: one entry per cluster and opened shape."""
        out = []
        for shape, number in self.shapes.items():
            root = self.root(number)
            if number in self._opened or self.tokens[root] == shape:
                out.append(Opening(shape, sorted(self._opened.get(number, ())), root))
        return out

    def restore(self, shape: Shape, wild: Sequence[int]) -> int:
        """Take in a shape and its opened places from `openings`."""
        number = self.shapes.get(shape)
        if number is None:
            number = self._new(shape)
        if wild:
            self._opened.setdefault(number, set()).update(wild)
        words = _words(shape)
        kinds = {at: _kind(shape, at) for at in words}
        easy = [at for at in words if kinds[at] in _ALWAYS]
        for _, key in _hole_keys(shape, list(wild)):
            self._holes[key] = None
        group = self._group(shape, sorted({*easy, *wild}))
        group.wild.update(wild)
        for at in {*easy, *wild}:
            group.columns.setdefault(at, set()).add(shape[at])
        for _, key in _hole_keys(shape, [at for at in words if kinds[at] != "name"]):
            members = self._holes.get(key, ())
            if members is not None:
                held = [members] if isinstance(members, int) else list(members)
                self._holes[key] = [*held, number] if held else number
        return number

    def join(self, one: int, other: int) -> None:
        """Make two numbers one cluster."""
        self._merge(one, other)


def _words(shape: Shape) -> list[int]:
    """Return the places that may vary: the first words of a message; a long text is known by its beginning."""
    return [at for at, token in enumerate(shape) if token != WILD and _WORD.match(token)][:_MAX_WORDS]


def _open(shape: Shape, places: set[int]) -> Shape:
    return tuple([WILD if at in places else token for at, token in enumerate(shape)])


def _hole_keys(shape: Shape, places: list[int]) -> list[tuple[int, int]]:
    """Return, for each place, a key that all shapes share which are equal but for it."""
    marks = [hash((at, token)) for at, token in enumerate(shape)]
    total = sum(marks)
    return [(at, hash((at, len(shape), total - marks[at]))) for at in places]


def _kind(shape: Shape, at: int) -> str:
    """Return what kind of word stands at a place: `name` never varies, the others as `_ENOUGH` says."""
    word = shape[at]
    before = shape[at - 1] if at else ""
    after = shape[at + 1] if at + 1 < len(shape) else ""
    if after == "=":
        return "name"
    if before == "=" or (before in {'"', "'"} and at > 1 and shape[at - 2] == "="):
        return "value"
    if at > 1 and before == " " and shape[at - 2].lower() == "user":
        return "user"
    if at and len(word) == 1 and word.isalpha():
        return "letter"
    if before in {"(", "["} and after in {")", "]"}:
        return "bracketed"
    if _QUALIFIED.fullmatch(word):
        kind = "qualified"
    elif _COMPOUND.fullmatch(word):
        kind = "compound"
    else:
        kind = "camel" if _CAMEL.fullmatch(word) else "plain"
    return kind if at else f"opening {kind}"
