"""What single lines of a training log say about its run.

MLPerf's `:::MLLOG` events, Megatron's iteration lines, metric dictionaries of the transformers Trainer (numbers quoted
or not), DeepSpeed's step lines, Keras and Ultralytics epochs, fairseq's JSON, progress bars, and the marks of a run
that ended.
"""

from __future__ import annotations

import re
from typing import Any

import msgspec

from treering.parse.training import metrics
from treering.parse.training.event import NAMES, SIDES, Event

MLLOG = ":::MLLOG"
# A line without any of these says nothing about progress.
HINTS = (
    MLLOG, "iteration ", "{'", "s/it", "it/s", "?it", "step=", "steps: ", "time (ms)", "busbw", "train", "Training",
    "checkpoint", "exiting program", "optimization steps", "OVERFLOW!", "loss", "Loss", "Epoch", "Num Epochs", "G  ",
    "epochs completed", "max_epochs=", "max_steps=",
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
    r"training (?:is )?(?:finished|complete[d]?|done)\b|\bdone training\b|^\d+ epochs completed in |"
    r"stopped: `?max_(?:epochs|steps)=\d+`? reached",
    re.IGNORECASE,
)
_LONGEST = 65_536
# Keras prints the epoch on a line of its own, Ultralytics (YOLO) in the first column of a row under `GPU_mem`.
_EPOCH_ALONE = re.compile(r"Epoch (\d{1,9})/(\d{1,9})\s*$")
_YOLO = re.compile(r" *(\d{1,9})/(\d{1,9}) +[\d.]+G((?: +(?:[\d.]+|nan))+):?")
# What a bar that is not the run's own counts.
_OTHER_BAR = re.compile(
    r"\b(?:map|filter|load|fetch|download|tokeniz|generat|sav|evaluat|valid|test|sanity|predict|extract|group|pack|"
    r"cast|creat|upload|writ|copy)\w*[^|%]{0,60}: +\d+%\|",
    re.IGNORECASE,
)
_SAVED = re.compile(r"(?:successfully )?sav(?:ed|ing)(?: model)? checkpoint", re.IGNORECASE)
_BEGUN = re.compile(r"\*{3} ?Running training|training \.\.\.$|Total optimization steps = (\d+)|Num Epochs = (\d+)")


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
    if not bars or _OTHER_BAR.search(line):
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
        if epoch is not None:
            return Event("step", float(epoch[1]), _float(epoch[2]), values, key="epoch")
        # It belongs to the epoch that was named last.
        return None if _DONE.search(line) else Event("step", None, None, values, key="epoch")
    step, total = float(found[1]), _float(found[2])
    if epoch is not None and total:  # steps that begin anew with each epoch
        epochs = _float(epoch[2])
        before = float(epoch[1]) - (1 if epochs else 0)  # of 3 is counted from 1
        return Event("step", before * total + step, epochs * total if epochs else None, values)
    return Event("step", step, total, values)


def _float(text: str | None) -> float | None:
    return float(text) if text else None


def _losses(line: str) -> dict[str, float]:
    found = ((re.split("[ _/]", name.lower())[0], float(text)) for name, text in _LOSSES.findall(line[:4096]))
    return {SIDES.get(side, "eval_loss"): value for side, value in found}


def _marks(line: str) -> Event | None:
    if "OVERFLOW!" in line and "kipping step" in line:
        return Event("overflow")
    if _DONE.search(line):
        return Event("done")
    if _SAVED.search(line):
        return Event("saved")
    if found := _BEGUN.search(line):
        return Event("begin", total=_float(found[1]), values={"epochs": float(found[2])} if found[2] else {})
    return None


def _epochs(line: str) -> Event | None:
    """Read Keras' line of an epoch, and Ultralytics' row of one, whose losses have no names."""
    if found := _EPOCH_ALONE.match(line):
        return Event("epoch", float(found[1]), float(found[2]))
    if found := _YOLO.match(line):
        losses = [float(text) for text in found[3].split() if "." in text or text == "nan"]
        if losses:
            return Event("step", float(found[1]), float(found[2]), {"loss": sum(losses)}, key="epoch")
    return None


def _fairseq(line: str) -> Event | None:
    """Read a JSON object of metrics at the end of a line."""
    begin = line.find(' {"')
    if begin < 0 or len(line) > _LONGEST or not line.rstrip().endswith("}"):
        return None
    try:
        said = msgspec.json.decode(line[begin:].encode("utf-8", "replace"), type=dict[str, Any])
    except msgspec.DecodeError:
        return None
    return metrics.measured(said)


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
    by = "epoch" if "epoch" in values and "step" not in values else "step"
    return Event("step", values.get(by), None, values, key=by)


def _number(text: str) -> Any:
    try:
        return float(text)
    except ValueError:
        return None


_READERS = (_mllog, _megatron, _metrics, _steps, _parts, _epochs, _bars, _fairseq, _printed, _marks)
