"""Single model calls unlike the others of their model: by duration, tokens, cost, time to first chunk together.

An isolation forest (Liu, Ting and Zhou, Isolation Forest, ICDM 2008) per service and model is fitted
anew every `refit_s` seconds on the last calls and judges those that follow. A call is told when it is isolated more
easily than all but `share` of the calls it was fitted on, by a margin, and when one of its values lies outside
everything that was fitted; calls that are odd in the same way within an hour are one finding. Failed calls are left to
`errors`. It says that a call is odd, not that it is bad.
"""

from __future__ import annotations

import math
import random
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import numpy as np
from msgspec import Meta

from treering.core.config import Config as BaseConfig
from treering.detect._call_features import NAMES, points
from treering.detect._calls import calls
from treering.detect._episodes import Episodes
from treering.detect._evidence import named
from treering.detect._forest import Forest
from treering.detect._waiting import IDS, Calls, Due, Kept, Model
from treering.model.finding import Evidence, Finding, Severity
from treering.stage.detector import Example

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from treering.detect._calls import Subject
    from treering.model.rows import Rows
    from treering.stage.detector import Ask

NAME = "outliers"
ORDER_FREE = False
_MOST_MODELS = 50
_SEED = 7
_HOUR_NS = 3600 * 10**9


class Config(BaseConfig, frozen=True):
    """What is odd."""

    least: Annotated[int, Meta(ge=20, description="calls before a model is judged")] = 200
    kept: Annotated[int, Meta(ge=50, le=5000, description="calls that are fitted on")] = 1000
    refit_s: Annotated[float, Meta(gt=0, description="seconds between two fits")] = 3600.0
    trees: Annotated[int, Meta(ge=10, le=500, description="trees of the forest")] = 100
    share: Annotated[float, Meta(gt=0, lt=0.5, description="share of the usual calls that are as odd")] = 0.05
    margin: Annotated[float, Meta(gt=1, description="times beyond the usual range that one value must be")] = 3.0


class _State(msgspec.Struct):
    models: list[Kept]
    episodes: Episodes


class Outliers:
    """Follows calls by service and model."""

    streams = frozenset({"spans"})
    every_s = 60.0

    def __init__(self, config: Config) -> None:
        """Start with nothing known."""
        self._config = config
        self._models: dict[tuple[str, str], Model] = {}
        self._forests: dict[tuple[str, str], tuple[int, tuple[Forest, float]]] = {}
        self._episodes = Episodes(_HOUR_NS)

    def observe(self, rows: Rows) -> Sequence[Finding]:
        """Take in the calls of a batch; they are judged together at the next tick."""
        found = calls(rows)
        models = [
            (subject, places[~found.failures[places]])
            for subject, places in found.groups.items()
            if subject.kind == "model"
        ]
        if not models:
            return ()
        few = rows.picked(np.concatenate([places for _, places in models]), *IDS)
        values = points(rows, np.concatenate([places for _, places in models]))
        at = 0
        for subject, places in models:
            part = slice(at, at + len(places))
            self._model(subject).wait(Calls(values[part], few.times[part], few.seqs[part], few, at))
            at += len(places)
        return ()

    def _model(self, subject: Subject) -> Model:
        key = (subject.service, subject.name)
        model = self._models.pop(key, None) or Model(*key)
        self._models[key] = model
        if len(self._models) > _MOST_MODELS:
            oldest = next(iter(self._models))
            del self._models[oldest]
            self._forests.pop(oldest, None)
        return model

    def tick(self, now_ns: int, ask: Ask | None) -> Sequence[Finding]:  # noqa: ARG002  the batches say it all
        """Judge the calls that have come since the last tick, then learn from them."""
        found: list[Finding] = []
        for key, model in self._models.items():
            if parts := model.due():
                calls = Due(parts)
                for start in range(0, len(calls.times), self._config.least):
                    found += self._take(key, model, calls, slice(start, start + self._config.least))
        return found

    def _take(self, key: tuple[str, str], model: Model, calls: Due, part: slice) -> list[Finding]:
        """Judge calls by what was fitted before, then learn from those that are not odd."""
        values = calls.values[part]
        found: list[Finding] = []
        odd: list[int] = []
        for place, score, beyond in self._odd(key, model, values) if len(model.fitted) else ():
            found.append(self._finding(model, calls, part.start + place, score, beyond))
            odd.append(place)
        usual = np.delete(values, odd, axis=0) if odd else values
        usual = usual[usual.any(axis=1)]
        model.kept = np.concatenate([model.kept, usual])[-self._config.kept :]
        newest_ns = int(calls.times[part][-1])
        due = newest_ns - model.fitted_ns >= self._config.refit_s * 1e9
        if due and len(model.kept) >= self._config.least:
            model.fitted, model.fitted_ns = model.kept, newest_ns
        return found

    def _odd(
        self, key: tuple[str, str], model: Model, values: NDArray[np.float64]
    ) -> Iterator[tuple[int, float, NDArray[np.float64]]]:
        """Yield those of `values` that stand out: place, score, how far each value is beyond what was fitted."""
        low, high = model.fitted.min(axis=0), model.fitted.max(axis=0)
        margin = math.log(self._config.margin)
        beyond = np.maximum(values - high, low - values)
        # Most calls lie within everything that was seen: the forest is asked about the others alone.
        candidates = np.flatnonzero((beyond > margin).any(axis=1))
        if not len(candidates):
            return
        forest, limit = self._forest(key, model)
        for place, score in zip(candidates.tolist(), forest.scores(values[candidates]).tolist(), strict=True):
            if score < limit:
                yield place, -score, beyond[place]

    def _forest(self, key: tuple[str, str], model: Model) -> tuple[Forest, float]:
        held = self._forests.get(key)
        if held is None or held[0] != model.fitted_ns:
            forest = Forest(model.fitted, self._config.trees, _SEED)
            limit = float(np.quantile(forest.scores(model.fitted), self._config.share))
            held = self._forests[key] = (model.fitted_ns, (forest, limit))
        return held[1]

    def _finding(self, model: Model, calls: Due, number: int, score: float, beyond: NDArray[np.float64]) -> Finding:
        values, at_ns, (trace, span) = calls.values[number], int(calls.times[number]), calls.ids(number)
        said = _said(values.tolist())
        shown = Evidence("spans", int(calls.seqs[number]), at_ns, "durationInNanos", said, (), "", trace, span)
        feature = int(np.argmax(beyond))
        odd, usual = NAMES[feature], math.expm1(float(np.median(model.fitted[:, feature])))
        seen = math.expm1(values[feature])
        episode = self._episodes.note((model.service, model.name, odd), shown.time_ns)
        return Finding(
            detector=NAME,
            rule="unlike_others",
            title=f"a call of {model.name} by {model.service} stands out: {odd} {seen:.4g}, usually {usual:.4g}",
            severity=Severity.LOW,
            key=(model.service, model.name, odd, str(episode.start_ns)),
            start_ns=shown.time_ns,
            end_ns=shown.time_ns,
            noticed_ns=shown.time_ns,
            score=min(1.0, max(0.0, score)),
            entities=named([("service", model.service), ("model", model.name), ("trace", shown.trace_id)]),
            evidence=(shown,),
            facts={"feature": odd, "observed": seen, "usual": usual, "isolation": score},
        )

    def save(self) -> bytes:
        """Return the calls kept of each model; forests are grown again from them, from the same seed."""
        return msgspec.msgpack.encode(_State([model.saved() for model in self._models.values()], self._episodes))

    def restore(self, state: bytes) -> None:
        """Go on from saved calls. Raises `ValueError`."""
        held = msgspec.msgpack.decode(state, type=_State)
        self._models = {(model.service, model.name): Model.restored(model) for model in held.models}
        self._episodes = held.episodes
        self._forests = {}


def _said(values: Sequence[float]) -> str:
    return ", ".join(f"{name} {math.expm1(value):.4g}" for name, value in zip(NAMES, values, strict=True) if value)


def build(config: Config) -> Outliers:
    """Return the detector."""
    return Outliers(config)


def _chats(count: int, odd: dict[int, int]) -> list[dict[str, Any]]:
    """Return calls of a few hundred tokens that take about a second; those in `odd` take as many tokens as it says."""
    chance = random.Random(8)  # noqa: S311  an example has to be repeatable
    found: list[dict[str, Any]] = []
    for number in range(count):
        tokens = odd.get(number, int(chance.lognormvariate(4.5, 0.4)))
        found.append(
            {
                "@timestamp": 1_772_000_000_000_000_000 + number * 20 * 10**9,
                "serviceName": "chat",
                "spanId": f"{number:016x}",
                "durationInNanos": int((0.4 + tokens / 100) * 1e9),
                "attributes": {
                    "gen_ai.operation.name": "chat",
                    "gen_ai.request.model": "m-1",
                    "gen_ai.usage.input_tokens": int(chance.lognormvariate(6, 0.3)),
                    "gen_ai.usage.output_tokens": tokens,
                },
            }
        )
    return found


EXAMPLES = (
    Example("one call of sixty times the tokens", "spans", _chats(400, {300: 6000}), ("unlike_others",), 60),
    Example("calls as ever are nothing, however many", "spans", _chats(400, {}), (), 60, {"refit_s": 60.0}),
)
