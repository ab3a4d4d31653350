"""A post-mortem as data: sections of sentences, each with what it rests on, and of questions only people can answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from treering.respond.casefile import Series

if TYPE_CHECKING:
    from collections.abc import Iterator


class Ref(msgspec.Struct, frozen=True, order=True):
    """What a sentence rests on. `kind` is finding, record, query, history, delivery or incident."""

    kind: str
    value: str


class Sentence(msgspec.Struct, frozen=True):
    """One statement. `text` is made of parts: ours, and those that come from records and are shown as such."""

    text: tuple[str | Quote, ...]
    refs: tuple[Ref, ...]


class Quote(msgspec.Struct, frozen=True):
    """Text of strangers: of a log, a finding's title, a person's comment."""

    text: str


class Prompt(msgspec.Struct, frozen=True):
    """What the record cannot say: a question to whoever finishes the post-mortem."""

    text: str


class Row(msgspec.Struct, frozen=True):
    """A line of a table, with what it rests on."""

    cells: tuple[str | Quote, ...]
    refs: tuple[Ref, ...] = ()


class Table(msgspec.Struct, frozen=True):
    """A table."""

    columns: tuple[str, ...]
    rows: tuple[Row, ...]


class Section(msgspec.Struct, frozen=True):
    """A heading and what is under it."""

    title: str
    parts: tuple[Sentence | Prompt | Table | Series, ...]


class Document(msgspec.Struct, frozen=True):
    """A whole post-mortem; `about` explains references (hash and time of a record, a finding's title)."""

    title: str
    sections: tuple[Section, ...]
    about: dict[Ref, tuple[str | Quote, ...]] = {}

    def references(self) -> list[Ref]:
        """Return what the document rests on, in order of first mention."""
        return list(dict.fromkeys(ref for section in self.sections for ref in _refs(section)))


def _refs(section: Section) -> Iterator[Ref]:
    for part in section.parts:
        if isinstance(part, Sentence):
            yield from part.refs
        elif isinstance(part, Table):
            for row in part.rows:
                yield from row.refs
        elif isinstance(part, Series):
            yield Ref("query", part.query)
