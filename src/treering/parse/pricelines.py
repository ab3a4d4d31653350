"""A user's own prices: a TOML file of dated lines, which win over the prices that come with treering.

[[price]]
model = "gpt-4o*"          # `*` stands for anything; the first line that fits counts, later dates first
provider = "openai"        # optional, as `gen_ai.provider.name` says it
from = 2026-01-01          # optional: first day (UTC) on which the line holds
tier = "batch"             # optional: only for calls of this service tier
input = 2.50               # US dollars per million tokens; likewise output, cache_read, cache_write,
output = 10.00             # reasoning, input_audio, output_audio, input_image, output_image
request = 0.0              # dollars per call
"""

from __future__ import annotations

import datetime as dt
import fnmatch
import tomllib
from typing import TYPE_CHECKING, Annotated

import msgspec
from msgspec import Meta

from treering.core.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

_Dollars = Annotated[float, Meta(ge=0)]


class Line(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename={"since": "from"}):
    """One line of the file; the prices that it does not state are those of `input` and `output`."""

    model: str
    provider: str | None = None
    since: dt.date | None = None
    tier: str | None = None
    input: _Dollars | None = None
    output: _Dollars | None = None
    cache_read: _Dollars | None = None
    cache_write: _Dollars | None = None
    reasoning: _Dollars | None = None
    input_audio: _Dollars | None = None
    output_audio: _Dollars | None = None
    input_image: _Dollars | None = None
    output_image: _Dollars | None = None
    request: _Dollars | None = None

    def fits(self, provider: str | None, model: str, day: dt.date, tier: str | None) -> bool:
        """Whether the line holds for a call."""
        return (
            fnmatch.fnmatchcase(model.lower(), self.model.lower())
            and self.provider in {None, provider}
            and self.tier in {None, tier}
            and (self.since is None or self.since <= day)
        )


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    price: tuple[Line, ...] = ()


def read(path: Path) -> tuple[Line, ...]:
    """Return the lines of a file, the latest first. Raises `UserError` that names what is wrong."""
    try:
        lines = msgspec.convert(tomllib.loads(path.read_text("utf-8")), _File).price
    except OSError as error:
        raise UserError(f"cannot read the prices in {path}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, msgspec.ValidationError) as error:
        raise UserError(f"{path} is no file of prices: {error}", hint="docs/cost.md shows one") from error
    return ordered(lines)


def ordered(lines: Sequence[Line]) -> tuple[Line, ...]:
    """Return lines in the order in which they are tried: the latest first, with a tier before without."""
    first = dt.date.min
    return tuple(sorted(lines, key=lambda line: (line.since or first, line.tier is not None), reverse=True))
