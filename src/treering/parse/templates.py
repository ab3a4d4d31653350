"""Log templates ("patterns"): the constant part of messages that one statement of a program wrote.

Mining is online and has bounded memory. A template's id is a hash of the first shape it was made of, so the same log
gives the same ids; `Miner.dump` and `Miner.load` keep them while templates grow more general.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from treering.core.errors import UserError
from treering.parse.clusters import Clusters
from treering.parse.masks import mask, readable, tokens
from treering.parse.shapes import shape_hashes

if TYPE_CHECKING:
    from collections.abc import Sequence

_VERSION = 2
_MAX_HASHES = 200_000


@dataclass(slots=True)
class Template:
    """A template: its text with `<*>` for variable parts, how many messages had it, and where the first ones were."""

    id: str
    text: str
    count: int = 0
    examples: list[int] = field(default_factory=list)


class _Saved(msgspec.Struct):
    id: str
    shape: list[str]
    wild: list[int]
    root: int
    count: int
    hashes: list[int] = []


class _State(msgspec.Struct):
    version: int
    templates: list[_Saved]
    aliases: dict[str, str]


class Miner:
    """Finds the template of each message of a stream."""

    def __init__(self, max_shapes: int = 20_000) -> None:
        """Keep at most `max_shapes` distinct shapes; beyond that those of the rarest templates are forgotten."""
        self.max_shapes = max_shapes
        self.aliases: dict[str, str] = {}
        self._clusters = Clusters()
        self._ids: list[str] = []
        self._counts: dict[int, int] = {}
        self._by_hash: dict[int, int] = {}
        self._by_mask: dict[str, int] = {}

    def add(self, messages: Sequence[str]) -> list[str]:
        """Return the template id of each message.

        An id may later turn out to belong to a more general template: `resolve` tells.
        """
        if not messages:
            return []
        hashes, first, inverse, counts = np.unique(
            shape_hashes(messages), return_index=True, return_inverse=True, return_counts=True
        )
        # In order of appearance, so that the same messages make the same templates.
        order = np.argsort(first)
        examples = [messages[place] for place in first[order].tolist()]
        names = np.empty(len(hashes), dtype=object)
        names[order] = self.place(hashes[order].tolist(), examples, counts[order].tolist())
        found: list[str] = names[inverse].tolist()
        return found

    def knows(self, shape_hash: int) -> bool:
        """Whether messages with this hash (`treering.parse.shapes`) have a template, so that `place` is quick."""
        return shape_hash in self._by_hash

    def place(self, hashes: Sequence[int], examples: Sequence[str], counts: Sequence[int]) -> list[str]:
        """Return the template id of each shape, of which `examples` has a message; count its messages."""
        numbers = [self._number(one, message) for one, message in zip(hashes, examples, strict=True)]
        roots = [self._clusters.root(number) for number in numbers]
        for root, count in zip(roots, counts, strict=True):
            self._counts[root] = self._counts.get(root, 0) + count
        found = [self._ids[root] for root in roots]
        if len(self._clusters) > self.max_shapes:
            self._forget()
        return found

    def resolve(self, template_id: str) -> str:
        """Return the id of the template that `template_id` has become part of, or itself."""
        self._settle()
        while (later := self.aliases.get(template_id)) is not None:
            template_id = later
        return template_id

    def templates(self) -> list[Template]:
        """Return all templates, the most frequent first."""
        self._settle()
        found = [
            Template(self._ids[root], readable(self._clusters.tokens[root]), count)
            for root, count in self._counts.items()
        ]
        return sorted(found, key=lambda one: (-one.count, one.text))

    def dump(self) -> bytes:
        """Return the state as JSON for `load`."""
        self._settle()
        return msgspec.json.encode(_State(_VERSION, self._saved(), self.aliases))

    def _saved(self) -> list[_Saved]:
        hashes: dict[int, list[int]] = {}
        for one, number in self._by_hash.items():
            hashes.setdefault(self._clusters.root(number), []).append(one)
        return [
            _Saved(self._ids[root], list(shape), wild, root, self._counts.get(root, 0), hashes.pop(root, []))
            for shape, wild, root in self._clusters.openings()
        ]

    @classmethod
    def load(cls, state: bytes, max_shapes: int = 20_000) -> Miner:
        """Return a miner that goes on where `dump` was called. Raises `UserError` when `state` is not one."""
        try:
            decoded = msgspec.json.decode(state, type=_State)
        except msgspec.DecodeError as error:
            raise UserError(f"not a state of templates: {error}") from error
        if decoded.version != _VERSION:
            raise UserError(f"templates of version {decoded.version}, this is {_VERSION}", hint="mine them anew")
        miner = cls(max_shapes)
        miner._restore(decoded.templates)
        miner.aliases = dict(decoded.aliases)
        return miner

    def _number(self, shape_hash: int, message: str) -> int:
        number = self._by_hash.get(shape_hash)
        if number is None:
            masked = mask(message)
            number = self._by_mask.get(masked)
            if number is None:
                number = self._clusters.place(tokens(masked))
                self._name()
                self._by_mask[masked] = number
            if len(self._by_hash) >= _MAX_HASHES:
                self._by_hash.clear()
            self._by_hash[shape_hash] = number
        return number

    def _name(self) -> None:
        """Give the new shapes their ids."""
        for number in range(len(self._ids), len(self._clusters)):
            text = "".join(self._clusters.tokens[number])
            self._ids.append(hashlib.blake2b(text.encode("utf-8", "replace"), digest_size=8).hexdigest())

    def _settle(self) -> None:
        """Move the counts of merged templates to those they were merged into, and remember their ids."""
        for number in list(self._counts):
            root = self._clusters.root(number)
            if root != number:
                self._counts[root] = self._counts.get(root, 0) + self._counts.pop(number)
                if self._ids[number] != self._ids[root]:
                    self.aliases[self._ids[number]] = self._ids[root]

    def _forget(self) -> None:
        """Begin anew with the more frequent half of the templates."""
        self._settle()
        saved = self._saved()
        saved.sort(key=lambda one: (-one.count, one.root))
        kept = sorted(saved[: self.max_shapes // 2], key=lambda one: one.root)
        self._clusters, self._ids, self._counts = Clusters(), [], {}
        self._by_hash, self._by_mask = {}, {}
        self._restore(kept)
        alive = set(self._ids)
        self.aliases = {old: new for old, new in self.aliases.items() if new in alive}

    def _restore(self, saved: Sequence[_Saved]) -> None:
        roots: dict[int, int] = {}
        for one in saved:
            number = self._clusters.restore(tuple(one.shape), one.wild)
            if number == len(self._ids):
                self._ids.append(one.id)
            root = roots.setdefault(one.root, number)
            self._by_hash.update(dict.fromkeys(one.hashes, root))
            if root == number:
                self._counts[number] = one.count
            else:
                self._clusters.join(root, number)


def mine(messages: Sequence[str], max_examples: int = 3) -> list[Template]:
    """Return the templates of `messages`, the most frequent first, with the indexes of their first messages."""
    miner = Miner()
    ids = miner.add(messages)
    resolved = {one: miner.resolve(one) for one in set(ids)}
    found = {one.id: one for one in miner.templates()}
    for index, one in enumerate(ids):
        template = found.get(resolved[one])
        if template is not None and len(template.examples) < max_examples:
            template.examples.append(index)
    return list(found.values())
