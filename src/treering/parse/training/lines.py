"""What single lines of a training log say about its run.

MLPerf's `:::MLLOG` events, Megatron's iteration lines, metric dictionaries of the transformers Trainer (numbers quoted
or not), DeepSpeed's step lines, progress bars, and the marks of a run that ended.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from collections.abc import Mapping

MLLOG = ":::MLLOG"
# A line without any of these says nothing about progress.
HINTS = (
    MLLOG, "iteration ", "{'", "s/it", "it/s", "?it", "step=", "steps: ", "time (ms)", "busbw", "train", "Training",
    "checkpoint", "exiting program", "optimization steps", "OVERFLOW!", "loss", "Loss",
)  # fmt: skip
_MEGATRON = re.compile(r"iteration +(\d+)/ *(\d+) \| (.*)")
_PAIR = re.compile(r"'([\w/. -]{1,60})': '?(nan|-?inf|[-+]?\d[\d.]*(?:[eE][-+]?\d+)?)'?")
_TQDM = re.compile(r"\b(\d{1,9})/(\d{1,9}) \[(?:\d+:)?\d+:\d\d<[^,\]]{0,16}, *([\d.]+|\?) ?(s/it|it/s)")
_DEEPSPEED = re.compile(r"\bstep=(\d+), skipped=(\d+), lr=\[([\d.eE+-]+)")
_STEPS = re.compile(r"\bsteps: (\d+) loss: ([\d.]+|nan|inf)(?: iter time \(s\): ([\d.]+))?(?: samples/sec: ([\d.]+))?")
# `iter 100: loss 2.31, time 12 ms`, `step: 10  loss: 7.1`, `step 500: train loss 2.1, val loss 2.2`,
# `Epoch [3/10], Step [100/600], Loss: 0.21`, `Epoch 7: train_loss=0.31`.
_PRINTED = re.compile(r"\b(?:iter(?:ation)?|step|batch)[ :=\[]{1,3}(\d{1,12})(?: ?/ ?(\d{1,12}))?\b", re.IGNORECASE)
_EPOCH = re.compile(r"\bepoch[ :=\[#]{1,3}(\d{1,9})(?: ?/ ?(\d{1,9}))?\b", re.IGNORECASE)
_LOSSES = re.compile(
    r"\b((?:(?:train|training|val|valid|validation|eval)[ _/])?loss)[ :=]{1,4}(nan|-?inf|\d[\d.]*(?:e[-+]?\d+)?)\b",
    re.IGNORECASE,
)
_PHASES = re.compile(r"([a-z][\w-]{2,60}): ([\d.]+)")
_BUSBW = re.compile(r"busbw: ([\d.]+)\s+(\w+)")
_DONE = re.compile(
    r"Training completed\.|\*{3} ?train metrics ?\*{3}|\[exiting program after \d+|\[after training is done\]|"
    r"training (?:is )?(?:finished|complete[d]?|done)\b",
    re.IGNORECASE,
)
_SAVED = re.compile(r"(?:successfully )?sav(?:ed|ing)(?: model)? checkpoint", re.IGNORECASE)
_BEGUN = re.compile(r"\*{3} ?Running training|training \.\.\.$|Total optimization steps = (\d+)")
# Names of one thing in several frameworks.
NAMES = {
    "lm loss": "loss", "train_loss": "mean loss", "elapsed time per iteration (ms)": "iteration ms",
    "grad_norm": "grad norm", "learning_rate": "learning rate", "number of skipped iterations": "skipped",
    "number of nan iterations": "nan", "train/loss": "loss", "train/grad_norm": "grad norm",
}  # fmt: skip


@dataclass(slots=True)
class Event:
    """What a line says. `kind` is one of: mllog, step, summary, bar, phases, bandwidth, overflow, begin, done,
    saved."""

    kind: str
    step: float | None = None
    total: float | None = None
    values: dict[str, float] = field(default_factory=dict)
    key: str = ""
    value: Any = None
    time_ms: int | None = None
    about: dict[str, Any] = field(default_factory=dict)


def read(line: str) -> Event | None:
    """Return what `line` says about the run's progress, or None."""
    for reader in _READERS:
        try:
            event = reader(line)
        except ValueError:  # what looks like a number and is none, as 1.2.3
            continue
        if event is not None:
            return event
    return None


def _steps(line: str) -> Event | None:
    if found := _STEPS.search(line):
        names = ("loss", "seconds a step", "samples a second")
        values = {name: float(text) for name, text in zip(names, found.groups()[1:], strict=True) if text}
        return Event("step", float(found[1]), None, values)
    if found := _DEEPSPEED.search(line):
        values = {"learning rate": float(found[3]), "skipped so far": float(found[2])}
        return Event("step", float(found[1]), None, values)
    return None


def _parts(line: str) -> Event | None:
    if "time (ms) |" in line:
        return Event("phases", values={name: float(value) for name, value in _PHASES.findall(line)})
    if found := _BUSBW.search(line):
        return Event("bandwidth", values={"busbw": float(found[1])}, key=found[2])
    return None


def _bars(line: str) -> Event | None:
    bars = _TQDM.findall(line)
    if not bars:
        return None
    now, total, pace, unit = bars[-1]
    seconds = None if pace == "?" or not float(pace) else float(pace) if unit == "s/it" else 1 / float(pace)
    values = {} if seconds is None else {"seconds a step": seconds}
    return Event("bar", float(now), float(total), values | _losses(line))


def _printed(line: str) -> Event | None:
    values = _losses(line)
    if not values:
        return None
    found, epoch = _PRINTED.search(line), _EPOCH.search(line)
    if found is None:
        return None if epoch is None else Event("step", float(epoch[1]), _float(epoch[2]), values, key="epoch")
    step, total = float(found[1]), _float(found[2])
    if epoch is not None and total:  # steps that begin anew with each epoch
        epochs = _float(epoch[2])
        before = float(epoch[1]) - (1 if epochs else 0)  # of 3 is counted from 1
        return Event("step", before * total + step, epochs * total if epochs else None, values)
    return Event("step", step, total, values)


def measured(fields: Mapping[str, Any]) -> Event | None:
    """Return what one object of a metrics file (`{"step": 10, "loss": 2.3}`) says, None when it has no loss by step."""
    by = next((name for name in _COUNTERS if _is_number(fields.get(name))), None)
    if by is None:
        return None
    values: dict[str, float] = {}
    for name, value in fields.items():
        if name not in _COUNTERS and _is_number(number := _spelled(value)):
            side, _, last = name.lower().replace("_", "/").rpartition("/")
            if last == "loss" and side.count("/") == 0:
                values[_SIDES.get(side or last, "eval_loss")] = float(number)
            else:
                values.setdefault(NAMES.get(name, name), float(number))
    if not values.keys() & {"loss", "eval_loss"}:
        return None
    return Event("step", float(fields[by]), None, values, key="epoch" if by == "epoch" else "step")


def _spelled(value: Any) -> Any:
    """Return NaN for the texts and the null that JSON has for it, other values as they are."""
    return float("nan") if value in {"NaN", "nan", "Infinity", "-Infinity"} else value


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


_COUNTERS = ("step", "global_step", "_step", "trainer/global_step", "iteration", "iter", "steps", "epoch")


def _float(text: str | None) -> float | None:
    return float(text) if text else None


def _losses(line: str) -> dict[str, float]:
    found = ((re.split("[ _/]", name.lower())[0], float(text)) for name, text in _LOSSES.findall(line[:4096]))
    return {_SIDES.get(side, "eval_loss"): value for side, value in found}


_SIDES = {"loss": "loss", "train": "loss", "training": "loss"}


def _marks(line: str) -> Event | None:
    if "OVERFLOW!" in line and "kipping step" in line:
        return Event("overflow")
    if _DONE.search(line):
        return Event("done")
    if _SAVED.search(line):
        return Event("saved")
    if found := _BEGUN.search(line):
        return Event("begin", total=float(found[1]) if found[1] else None)
    return None


def _mllog(line: str) -> Event | None:
    at = line.find(MLLOG)
    begin = line.find("{", at) if at >= 0 else -1
    if begin < 0:
        return None
    try:
        said = msgspec.json.decode(line[begin : line.rfind("}") + 1].encode("utf-8", "replace"), type=dict[str, Any])
    except msgspec.DecodeError:
        return None
    about, time_ms = said.get("metadata"), said.get("time_ms")
    return Event(
        "mllog",
        key=str(said.get("key")),
        value=said.get("value"),
        time_ms=int(time_ms) if isinstance(time_ms, int | float) else None,
        about=about if isinstance(about, dict) else {},
    )


def _megatron(line: str) -> Event | None:
    found = _MEGATRON.search(line)
    if found is None:
        return None
    values = {}
    for part in found[3].split("|"):
        name, colon, text = part.partition(":")
        if colon and (number := _number(text)) is not None:
            name = name.strip()
            values[NAMES.get(name, name)] = number
    return Event("step", float(found[1]), float(found[2]), values)


def _metrics(line: str) -> Event | None:
    """Read a dictionary of metrics, which may stand behind a progress bar."""
    if "{'" not in line:
        return None
    values = {NAMES.get(name, name): float(text) for name, text in _PAIR.findall(line[:4096])}
    if "train_runtime" in values:
        return Event("summary", values=values)
    if not values.keys() & {"loss", "eval_loss", "grad norm"} and not any(name.startswith("eval_") for name in values):
        return None
    by = "step" if "step" in values else "epoch"
    return Event("step", values.get(by), None, values, key=by)


def _number(text: str) -> Any:
    try:
        return float(text)
    except ValueError:
        return None


_READERS = (_mllog, _megatron, _metrics, _steps, _parts, _bars, _printed, _marks)
