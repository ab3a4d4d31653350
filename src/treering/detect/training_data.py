"""Parts of the training data whose loss is not like that of the others: mislabelled, poisoned, or seen before.

Reads `training.loss` (or `training.lm_loss`) with the part that a batch came from: `training.shard`, `.data_shard`,
`.dataset`, `.data_source`, or `data.shard`, as JSON logs or spans carry them. Each loss is compared with the median of
the last losses of the other parts, so that what the run as a whole does cancels out. A part is told when the median of
its last eight differences is beyond six robust deviations (median absolute deviation) of all differences and a fifth
of the usual loss, with four parts and more: above the others it may be mislabelled, below them it may be known to the
model, or made to be learnt at once.

Misses: logs that do not name the part, parts that differ because they are of other languages or domains (those are told
once, and are what they are), poison that is spread evenly, poison that does not show in the loss.
"""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
from msgspec import Meta

from treering.core.config import Config as BaseConfig
from treering.detect._as_read import AsRead
from treering.detect._fold import folded
from treering.detect._recent import recent
from treering.detect._run import is_finite
from treering.detect._whom import Whom, proof
from treering.model.finding import Entity, Evidence, Finding, Severity
from treering.stage.detector import Example

if TYPE_CHECKING:
    from collections.abc import Sequence

    from treering.model.rows import Rows

NAME = "training_data"
ORDER_FREE = False
_LOSSES = ("attributes.training.loss", "attributes.training.lm_loss")
_PARTS = (
    "attributes.training.shard", "attributes.training.data_shard", "attributes.training.dataset",
    "attributes.training.data_source", "attributes.data.shard",
)  # fmt: skip
_MOST_RUNS, _MOST_PARTS, _KEPT, _LATELY, _SHOWN = 50, 64, 60, 8, 6
_MAD = 1.4826


class Config(BaseConfig, frozen=True):
    """When a part of the data is unlike the others."""

    deviations: Annotated[float, Meta(gt=0, description="robust deviations from the others")] = 6.0
    share: Annotated[float, Meta(gt=0, description="share of the usual loss that it has to be away")] = 0.2
    parts: Annotated[int, Meta(ge=3, description="parts that have to be known")] = 4


class _Part(msgspec.Struct, array_like=True):
    """The last differences of a part from the others, since when, and some records."""

    first_ns: int
    differences: list[float] = []
    shown: list[Evidence] = []
    told: bool = False


class _Run(msgspec.Struct, array_like=True):
    """The last losses of a run, each with its part, and its parts."""

    losses: list[tuple[str, float]] = []
    parts: dict[str, _Part] = {}


class _State(msgspec.Struct):
    runs: dict[str, _Run] = {}


class TrainingData(AsRead[_State]):
    """Follows runs whose logs name the part of the data."""

    streams = frozenset({"logs", "spans"})

    def __init__(self, config: Config) -> None:
        """Start without history."""
        self._config = config
        self._state = _State()

    def observe(self, rows: Rows) -> Sequence[Finding]:
        """Return the parts that a batch shows to be unlike the others."""
        parts = next((name for name in _PARTS if rows.has(name)), "")
        losses = next((name for name in _LOSSES if rows.has(name)), "")
        if not parts or not losses:
            return ()
        whom, values = Whom(rows), rows.numbers(losses)
        found = []
        for row, part in enumerate(rows.values(parts)):
            loss = float(values[row])
            if part is not None and part != "" and is_finite(loss):
                found.append(self._loss(rows, whom, row, str(part)[:100], loss))
        return folded(finding for finding in found if finding is not None)

    def _loss(self, rows: Rows, whom: Whom, row: int, name: str, loss: float) -> Finding | None:
        at_ns = int(rows.times[row])
        run = recent(self._state.runs, whom.service(row), _MOST_RUNS, _Run)
        part = recent(run.parts, name, _MOST_PARTS, _Part, at_ns)
        others = [value for other, value in run.losses if other != name]
        run.losses = [*run.losses[1 - _KEPT :], (name, loss)]
        if len(others) < _LATELY:
            return None
        usual = median(others)
        part.differences = [*part.differences[1 - _LATELY :], loss - usual]
        part.shown = [*part.shown[1 - _SHOWN :], proof(rows, row, "body", f"{name}: loss {loss:g}, others {usual:g}")]
        if part.told or len(part.differences) < _LATELY or len(run.parts) < self._config.parts:
            return None
        away = median(part.differences)
        rest = [one for other in run.parts.values() if other is not part for one in other.differences]
        spread = _MAD * median(abs(one - median(rest)) for one in rest) if rest else 0.0
        if abs(away) < max(self._config.deviations * spread, self._config.share * abs(usual)):
            return None
        part.told = True
        return self._finding(rows, whom, row, name, part, {"loss": loss, "difference": away, "usual": usual})

    def _finding(self, rows: Rows, whom: Whom, row: int, name: str, part: _Part, facts: dict[str, Any]) -> Finding:
        at_ns, where = int(rows.times[row]), "above" if facts["difference"] > 0 else "below"
        title = f"the loss of {name} lies {abs(facts['difference']):.3g} {where} that of the other data"
        return Finding(
            NAME, "outlier_shard", title, Severity.MEDIUM, (whom.service(row), name, str(part.first_ns)),
            min(part.first_ns, at_ns), at_ns, at_ns, 1.0, (Entity("shard", name), *whom.entities(row)),
            tuple(part.shown), ("owasp-llm@2026:LLM05", "mitre-atlas@2026.09:AML.T0020"), "AML.TA0006",
            {key: round(value, 4) for key, value in facts.items()} | {"family": "training"},
        )  # fmt: skip


def build(config: Config) -> TrainingData:
    """Return the detector."""
    return TrainingData(config)


def _step(number: int, odd: float) -> dict[str, Any]:
    shard = number % 6
    loss = 4.0 - number * 0.004 + (number * 37 % 11) * 0.01 + (odd if shard == 3 else 0.0)
    return {
        "@timestamp": 1_795_000_000_000_000_000 + number * 5 * 10**9,
        "serviceName": "trainer",
        "body": f"step {number}",
        "attributes": {"training.step": number, "training.loss": loss, "training.shard": f"shard-{shard}"},
    }


EXAMPLES = (
    Example("one shard is far above the others", "logs", [_step(n, 1.6) for n in range(90)], ["outlier_shard"]),
    Example("one shard is far below the others", "logs", [_step(n, -1.6) for n in range(90)], ["outlier_shard"]),
    Example("all shards are learnt alike", "logs", [_step(n, 0.05) for n in range(90)]),
)
