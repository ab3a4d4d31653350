"""Where the fields of Sigma's log sources are in our records: `content/rules/sigma_fields.json`."""

from __future__ import annotations

from functools import cache
from importlib import resources
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Mapping


class Source(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A kind of log source: those whose product, category and service are among the named ones, if any are.

    `fields` says for a Sigma field in which of ours it may be; `patterns` says so for every other, `{}` being its name.
    """

    name: str
    product: tuple[str, ...] = ()
    category: tuple[str, ...] = ()
    service: tuple[str, ...] = ()
    stream: str = "logs"
    fields: dict[str, tuple[str, ...]] = {}
    patterns: tuple[str, ...] = ("{}", "attributes.{}")
    keywords: tuple[str, ...] = ("body", "message", "attributes.message")

    def means(self, product: str, category: str, service: str) -> bool:
        """Whether a rule's log source is of this kind."""
        asked = ((self.product, product), (self.category, category), (self.service, service))
        return all(not known or value in known for known, value in asked)

    def places(self, field: str) -> tuple[str, ...]:
        """Return the fields of our records that may hold a Sigma field, the most usual one first."""
        known = self.fields.get(field, ())
        return tuple(dict.fromkeys((*known, *(pattern.replace("{}", field) for pattern in self.patterns))))


@cache
def sources() -> tuple[Source, ...]:
    """Return the kinds of log sources, the first that means a rule's is the one; the last means any."""
    text = (resources.files("treering.content") / "rules" / "sigma_fields.json").read_bytes()
    return msgspec.json.decode(text, type=tuple[Source, ...])


def source_of(logsource: Mapping[str, str | None]) -> Source:
    """Return the kind of a rule's log source."""
    asked = [(logsource.get(name) or "").lower() for name in ("product", "category", "service")]
    return next(source for source in sources() if source.means(*asked))
