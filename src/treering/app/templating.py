"""`template.id` for every message of the stream `logs`, mined as batches pass into the store.

The templates are kept in the data directory, so that ids are the same after a restart.
"""

from __future__ import annotations

import logging
import threading
import time
from typing import TYPE_CHECKING, Any

import numpy as np
from arro3.core import Array, Field

from treering.core.errors import UserError
from treering.core.files import replaced
from treering.model.batch import Batch
from treering.model.columns import ARROW, OWN, Kind
from treering.parse.admission import Admission
from treering.parse.shapes import shape_hashes
from treering.parse.templates import Miner

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

_log = logging.getLogger("treering.templates")
COLUMN = f"{OWN}template.id:{Kind.STRING}"
FILE = "templates.json"
_STREAM, _BODY, _SEVERITY = "logs", "body:s", "severityNumber:l"
_WARN = 13  # OpenTelemetry severity number
# A message is known by its beginning; one that is longer than a statement of a program has to prove itself.
_HEAD, _STATEMENT = 256, 400
_SAVE_EVERY_S = 30.0


class Templates:
    """An enricher: adds `template.id` to batches of `logs`. Safe to call from several threads."""

    def __init__(self, path: Path | None = None) -> None:
        """Go on with the templates in the file `path`; without one they are only in memory."""
        self._path = path
        self._miner = _loaded(path)
        self._admission = Admission()
        self._lock = threading.Lock()
        self._changed = False
        self._saved = time.monotonic()

    def __call__(self, batch: Batch) -> Batch:
        """Return `batch` with the template ids of its bodies, null where a message has none."""
        if batch.stream != _STREAM or _BODY not in batch.data.schema.names:
            return batch
        bodies: Any = batch.data.column(_BODY).to_pylist()
        heads = ["" if body is None else body[:_HEAD] for body in bodies]
        shapes: Any = np.unique(shape_hashes(heads), return_index=True, return_inverse=True, return_counts=True)
        hashes, first, inverse, counts = shapes
        with self._lock:
            names = self._names(batch, bodies, hashes.tolist(), first.tolist(), counts.tolist())
        found: Any = names[inverse].tolist()
        if None in bodies:
            found = [None if body is None else name for body, name in zip(bodies, found, strict=True)]
        column = Array(found, ARROW[Kind.STRING])
        return Batch(batch.stream, batch.data.append_column(Field(COLUMN, ARROW[Kind.STRING]), column))

    def texts(self, ids: Iterable[str]) -> dict[str, str]:
        """Return the text of each template that is known, with `<*>` for what varies.

        A template that has become part of a more general one has the text of that.
        """
        with self._lock:
            texts = {template.id: template.text for template in self._miner.templates()}
            resolved = {one: self._miner.resolve(one) for one in ids}
        return {one: texts[now] for one, now in resolved.items() if now in texts}

    def listed(self, most: int) -> list[dict[str, Any]]:
        """Return id, text and count of the most frequent templates; a count is of batches' distinct messages."""
        with self._lock:
            found = self._miner.templates()[:most]
        return [{"id": one.id, "text": one.text, "count": one.count} for one in found]

    def close(self) -> None:
        """Write what is not written yet."""
        with self._lock:
            self._save()

    def _names(
        self, batch: Batch, bodies: Sequence[str | None], hashes: list[int], first: list[int], counts: list[int]
    ) -> Any:
        names = np.full(len(hashes), None, dtype=object)
        known = [place for place, one in enumerate(hashes) if self._miner.knows(one)]
        for place in known:
            self._admission.seen(hashes[place])
        self._admission.earn(batch.rows)
        if len(known) < len(hashes):
            admitted = self._admitted(batch, bodies, hashes, first, counts, set(known))
            self._changed = self._changed or bool(admitted)
            # In order of appearance, so that the same messages make the same templates.
            known = sorted([*known, *admitted], key=first.__getitem__)
        examples = [(bodies[first[place]] or "")[:_HEAD] for place in known]
        names[known] = self._miner.place([hashes[p] for p in known], examples, [counts[p] for p in known])
        if self._changed and time.monotonic() - self._saved > _SAVE_EVERY_S:
            self._save()
        return names

    def _admitted(
        self,
        batch: Batch,
        bodies: Sequence[str | None],
        hashes: list[int],
        first: list[int],
        counts: list[int],
        known: set[int],
    ) -> list[int]:
        """Return the unknown shapes that are to be mined: errors first, they are what one looks for."""
        data = batch.data
        severities = data.column(_SEVERITY).to_pylist() if _SEVERITY in data.schema.names else [None] * batch.rows
        unknown = [place for place in range(len(hashes)) if place not in known and bodies[first[place]]]
        unknown.sort(key=lambda place: ((severities[first[place]] or 0) < _WARN, first[place]))
        return [
            place
            for place in unknown
            if self._admission.admits(
                hashes[place], repeated=counts[place] > 1, likely=len(bodies[first[place]] or "") <= _STATEMENT
            )
        ]

    def _save(self) -> None:
        if self._path is None or not self._changed:
            return
        replaced(self._path, self._miner.dump())
        self._changed, self._saved = False, time.monotonic()


def _loaded(path: Path | None) -> Miner:
    if path is None or not path.exists():
        return Miner()
    try:
        return Miner.load(path.read_bytes())
    except (UserError, OSError) as error:
        aside = path.with_suffix(".unreadable")
        _log.warning("%s cannot be read (%s) and is now %s: templates are mined anew", path, error, aside.name)
        path.replace(aside)
        return Miner()
