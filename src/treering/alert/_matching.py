"""Matchers on labels, as Alertmanager writes them: `service="rag"`, `severity!=low`, `user=~"u-1.*"`, `host!~x`."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import msgspec

from treering.core.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_FORM = re.compile(r'\s*([\w.@-]+)\s*(=~|!~|!=|=)\s*(?:"((?:[^"\\]|\\.)*)"|(.*?))\s*', re.DOTALL)
_MOST_PATTERN = 500
_MOST_VALUE = 2000
# A group that repeats and is repeated itself makes backtracking exponential.
_NESTED = re.compile(r"\([^)]*[+*{][^)]*\)\s*[+*{]")


class Matcher(msgspec.Struct, frozen=True):
    """One condition on a label; a label that is not there is an empty text."""

    name: str
    sign: str
    value: str

    def holds(self, labels: Mapping[str, str]) -> bool:
        """Whether `labels` satisfy it."""
        found = labels.get(self.name, "")[:_MOST_VALUE]
        if self.sign in {"=", "!="}:
            return (found == self.value) is (self.sign == "=")
        return _fits(self.value, found) is (self.sign == "=~")

    def __str__(self) -> str:
        """Return it as it is written."""
        value = self.value.replace("\\", "\\\\").replace('"', '\\"')
        return f'{self.name}{self.sign}"{value}"'


def _fits(pattern: str, text: str) -> bool:
    """Return whether all of `text` matches; what cannot be told within a second of processor time does not."""
    import regex  # Python's own has no limit of time

    try:
        return regex.fullmatch(pattern, text, timeout=1.0, concurrent=True) is not None
    except TimeoutError:
        return False


def matcher(text: str) -> Matcher:
    """Return the matcher that `text` writes. Raises `UserError`."""
    found = _FORM.fullmatch(text)
    if found is None:
        raise UserError(f"{text[:80]!r} is not a matcher", hint='write name="value"; also != =~ !~')
    name, sign, quoted, bare = found.groups()
    value = bare if quoted is None else re.sub(r"\\(.)", r"\1", quoted)
    if sign in {"=~", "!~"}:
        if len(value) > _MOST_PATTERN or _NESTED.search(value):
            raise UserError(f"the pattern of {name} is too long, or repeats what repeats")
        try:
            re.compile(value)
        except re.error as error:
            raise UserError(f"{value[:80]!r} is not a pattern: {error}") from error
    return Matcher(name, sign, value)


def matchers(texts: Iterable[str]) -> tuple[Matcher, ...]:
    """Return the matchers that `texts` write. Raises `UserError`."""
    return tuple(matcher(text) for text in texts)


def all_hold(found: Iterable[Matcher], labels: Mapping[str, str]) -> bool:
    """Whether all matchers hold."""
    return all(item.holds(labels) for item in found)
