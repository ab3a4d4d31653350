"""What a line or a record of a training log says, whatever framework wrote it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

# Names of one thing in several frameworks.
NAMES = {
    "lm loss": "loss", "train_loss": "mean loss", "elapsed time per iteration (ms)": "iteration ms",
    "grad_norm": "grad norm", "learning_rate": "learning rate", "number of skipped iterations": "skipped",
    "number of nan iterations": "nan", "train/loss": "loss", "train/grad_norm": "grad norm", "gnorm": "grad norm",
}  # fmt: skip
# What stands before `loss`, and the series it belongs to; any other is an evaluation.
SIDES = {"loss": "loss", "train": "loss", "training": "loss"}


@dataclass(slots=True)
class Event:
    """What a line says. `kind` is one of: mllog, step, epoch, summary, bar, phases, bandwidth, overflow, begin, done,
    saved."""

    kind: str
    step: float | None = None
    total: float | None = None
    values: dict[str, float] = field(default_factory=dict)
    key: str = ""
    value: Any = None
    time_ms: int | None = None
    about: dict[str, Any] = field(default_factory=dict)
