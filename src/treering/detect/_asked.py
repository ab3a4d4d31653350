"""How the model calls of a batch ask, by who calls: what `extraction` follows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from treering.detect._grouped import Grouped
from treering.detect._texts import as_json
from treering.model.columns import Kind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from treering.model.rows import Rows

HOUR_NS = 3600 * 10**9
BETWEEN = "\0"
_LONGEST = 200
_CALLS = frozenset({"chat", "text_completion", "generate_content", "embeddings"})
INPUT, _READ = "attributes.gen_ai.input.messages", "attributes.gen_ai.usage.input_tokens"
_TEMPERATURE = "attributes.gen_ai.request.temperature"
_NAMED = (
    ("user", ("attributes.user.id", "attributes.enduser.id")),
    ("key", ("attributes.gen_ai.key.id", "attributes.api.key.id", "attributes.litellm.key")),
    ("address", ("attributes.client.address",)),
)
_CONTENT = ('"content":', '"text":')


class Asked:
    """How the model calls of a batch ask, by principal: the one whose last call comes last is the last."""

    def __init__(self, rows: Rows) -> None:
        """Look at `rows`; `names` are kind and name of each principal with `BETWEEN` between them."""
        operations, known = rows.codes("attributes.gen_ai.operation.name")
        principals, names = _principals(rows)
        is_call = np.array([name in _CALLS for name in known] + [False])[operations]
        self.places = np.flatnonzero(is_call & (principals >= 0))
        self._groups = Grouped(principals[self.places])
        hours = rows.times[self.places] // HOUR_NS
        self.names = [names[code] for code in principals[self.places[self._groups.firsts]].tolist()]
        self.sizes: list[int] = self._groups.sizes.tolist()
        self.hours: tuple[list[int], list[int]] = (
            self._groups.least(hours).tolist(),
            self._groups.greatest(hours).tolist(),
        )
        self._rows, self._inputs = rows, dict[int, Any]()
        self._tokens = rows.numbers(_READ)
        self.cold: NDArray[np.bool_] = rows.numbers(_TEMPERATURE) == 0.0
        self.probable = np.zeros(rows.count, dtype=bool)
        for name in [name for name in rows.names if name.lower().endswith("logprobs")]:
            self.probable |= np.array([value not in (None, False, 0, "", "false") for value in rows.values(name)])

    def members(self, number: int) -> list[int]:
        """Return the places of the calls of a principal."""
        places: list[int] = self.places[self._groups.members(number)].tolist()
        return places

    def read(self, places: Sequence[int]) -> None:
        """Read what is asked at these places, before `text` is asked for it."""
        self._inputs.update(zip(places, self._rows.at(INPUT, places), strict=True))

    def text(self, place: int) -> str:
        """Return what is asked: the content of the newest message, at most 2,000 characters."""
        value = self._inputs[place]
        if not isinstance(value, str):
            value = as_json(value) if value else ""
        found = next((part for mark in _CONTENT if (part := value.rpartition(mark)[2]) != value), value)
        return found.strip(' "}]')[:2000]

    def tokens(self, place: int, text: str) -> float:
        """Return how long the input is."""
        count = float(self._tokens[place])
        return count if count >= 0 else len(text) / 4


def _principals(rows: Rows) -> tuple[NDArray[np.int64], list[str]]:
    """Return for each record the number of who calls, -1 where nobody is named; and who they are."""
    numbers: dict[str, int] = {}
    found = np.full(rows.count, -1, dtype=np.int64)
    fields = [(kind + BETWEEN, name) for kind, names in _NAMED for name in names if rows.has(name)]
    for start, field in fields:
        if (found >= 0).all():
            break
        codes, texts = _distinct(rows, field)
        if not numbers and "" not in texts and max(map(len, texts), default=0) <= _LONGEST:
            numbers = {start + text: number for number, text in enumerate(texts)}
            found = codes.astype(np.int64)
            continue
        of = [numbers.setdefault(start + text[:_LONGEST], len(numbers)) if text else -1 for text in texts]
        found = np.where(found < 0, np.array([*of, -1], dtype=np.int64)[codes], found)
    return found, list(numbers)


def _distinct(rows: Rows, field: str) -> tuple[NDArray[np.int32], list[str]]:
    if [kind for kind, _ in rows.columns(field)] == [Kind.STRING]:
        return rows.codes(field)
    known: dict[str, int] = {}
    found = (-1 if value is None else known.setdefault(str(value), len(known)) for value in rows.values(field))
    return np.fromiter(found, dtype=np.int32, count=rows.count), list(known)
