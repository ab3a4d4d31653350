"""Objects and rows of metrics by step: JSON lines, CSV exports of Lightning, W&B and TensorBoard, fairseq's lines."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from treering.parse.training.event import NAMES, SIDES, Event

if TYPE_CHECKING:
    from collections.abc import Mapping

_STEPS = ("step", "global_step", "current_steps", "_step", "trainer/global_step", "iteration", "iter", "steps",
          "num_updates", "total_timesteps")  # fmt: skip
_COUNTERS = (*_STEPS, "epoch")
_EVALUATIONS = frozenset({"val", "valid", "validation", "eval", "test", "dev"})
_TOTALS = ("total_steps", "max_steps", "total_iters", "num_steps")
# Exports of Weights & Biases have these beside each column.
_BOUNDS = ("__MIN", "__MAX")


def measured(fields: Mapping[str, Any], named: str = "") -> Event | None:
    """Return what one object or row of metrics (`{"step": 10, "loss": 2.3}`) says, None when it has no loss by step.

    A row of TensorBoard's export has a `Value`; what it measures is in the name of its file, `named`.
    """
    lower = {name.lower(): value for name, value in fields.items()}
    by = next((name for name in _COUNTERS if _is_number(_spelled(lower.get(name)))), None)
    if by is None:
        return None
    values: dict[str, float] = {}
    for name, value in fields.items():
        number = _spelled(value)
        if name.lower() in _COUNTERS or name.endswith(_BOUNDS) or not _is_number(number):
            continue
        metric = _tag(named) if name == "Value" and named else name.rpartition(" - ")[2]  # W&B: `run - metric`
        side, _, last = metric.lower().replace("_", "/").rpartition("/")
        if last == "loss" and (side or last) in SIDES:
            values[SIDES[side or last]] = float(number)
        elif last == "loss" and side in _EVALUATIONS:
            values["eval_loss"] = float(number)
        else:
            values.setdefault(NAMES.get(metric, metric), float(number))
    if not values.keys() & {"loss", "eval_loss"}:
        return None
    total = next((float(lower[name]) for name in _TOTALS if _is_number(lower.get(name))), None)
    return Event("step", float(_spelled(lower[by])), total, values, key="epoch" if by == "epoch" else "step")


def _tag(file: str) -> str:
    """Return `loss` for a file whose name ends in it, else the name."""
    stem = file.rpartition("/")[2].removesuffix(".csv")
    return stem.replace("-", "_").replace(".", "_").rpartition("tag_")[2]


def _spelled(value: Any) -> Any:
    """Return the number that a text spells, NaN and infinities for the texts that JSON has for them; others as is."""
    if type(value) is not str or len(value) > 40:
        return value
    try:
        return float(value)
    except ValueError:
        return value


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
