"""What each detector costs a record, in the process and without HTTP; and how many prompts a CPU second are scanned.

`python -m benchmarks.detectors [--rows 40000] [--spans 40000] [--prompts FILE…]` prints microseconds of CPU a record of
logs, of spans with two messages of random words, and of conversations: instructions, a growing history, an answer.
FILEs are lines of JSON with `text`, `role` (`user`, `tool`) and `label` (1 for an attack); they may be packed (.gz).
"""

from __future__ import annotations

import argparse
import gzip
import json
import random
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import msgspec

from benchmarks.records import START_NS, USERS, documents
from benchmarks.spans import WORDS, requests
from treering.app.config import Detect
from treering.app.detectors import Detectors, makers
from treering.app.watermark import Watermark
from treering.detect import prompts
from treering.detect._screen import screen
from treering.model.batch import Batch, batch
from treering.model.rows import Rows
from treering.parse.genai import Normaliser
from treering.parse.otlp import Signal
from treering.parse.prices import Prices
from treering.receive._otlp import decoded
from treering.store.duckdb import Config, build

AT_ONCE = 20_000
INSTRUCTIONS = (
    "You are the assistant of a shop. Answer in at most five sentences and only from what the tools return. Never "
    "promise a refund; orders above 500 euros go to a colleague. Be polite, and answer in the language of the question."
)


class Spent:
    """Adds up what each detector took."""

    def __init__(self) -> None:
        """Start with nothing."""
        self.seconds: dict[str, float] = defaultdict(float)

    def add(self, name: str, value: float = 1, **labels: str) -> None:
        """Take one measurement, as telemetry does."""
        if name == "treering_detector_seconds_total":
            self.seconds[labels["detector"]] += value


def message(role: str, text: str) -> dict[str, Any]:
    """Return a message of the canonical form."""
    return {"role": role, "parts": [{"type": "text", "content": text}]}


def conversations(count: int, seed: int = 1) -> Iterator[dict[str, Any]]:
    """Yield model calls of conversations of up to eight turns, each with all that was said before."""
    rng = random.Random(seed)
    said: list[dict[str, Any]] = []
    for index in range(count):
        if len(said) >= 16 or not index:
            said, user, trace = [], rng.choice(USERS), f"{rng.getrandbits(128):032x}"
        said = [*said, message("user", " ".join(rng.choices(WORDS, k=24)))]
        answer = message("assistant", " ".join(rng.choices(WORDS, k=40)))
        yield {
            "@timestamp": START_NS + index * 50_000_000,
            "serviceName": "shop-assistant",
            "traceId": trace,
            "spanId": f"{index:016x}",
            "durationInNanos": int(rng.lognormvariate(20, 0.8)),
            "attributes": {
                "gen_ai.operation.name": "chat",
                "gen_ai.provider.name": "openai",
                "gen_ai.request.model": "gpt-4o-mini",
                "gen_ai.conversation.id": trace[:8],
                "user.id": user,
                "gen_ai.usage.input_tokens": 60 * len(said),
                "gen_ai.usage.output_tokens": 60,
                "gen_ai.system_instructions": encode([{"type": "text", "content": INSTRUCTIONS}]),
                "gen_ai.input.messages": encode(said),
                "gen_ai.output.messages": encode([answer]),
            },
        }
        said = [*said, answer]


def encode(value: Any) -> str:
    """Return JSON as a text."""
    return msgspec.json.encode(value).decode()


def stored(streams: Iterator[Batch], step: Callable[[Batch], Batch]) -> list[Batch]:
    """Return batches as detection gets them: normalised, stored, read back in pieces."""
    with tempfile.TemporaryDirectory() as folder:
        store = build(Config(), Path(folder))
        for part in streams:
            store.append([step(part)])
        found: list[Batch] = []
        position = -1
        while True:
            reached, batches = store.since(position, AT_ONCE, ("logs", "spans"))
            if reached == position:
                break
            position, found = reached, [*found, *batches]
        store.close()
    return found


def watched(name: str, batches: Sequence[Batch]) -> None:
    """Print what all detectors take for `batches`."""
    spent, mark, count = Spent(), Watermark(30.0), sum(part.rows for part in batches)
    detectors = Detectors(makers(Detect()), spent)  # type: ignore[arg-type]
    began, found = time.process_time(), 0
    for part in batches:
        found += len(detectors.take([part], mark, 1 << 62, 1.0))
    total = (time.process_time() - began) / count * 1e6
    print(f"{name}: {total:.1f} us of CPU each, {found} findings")
    each = ", ".join(
        f"{who} {took / count * 1e6:.2f}"
        for who, took in sorted(spent.seconds.items(), key=lambda pair: -pair[1])
        if took / count > 5e-8
    )
    print(f"  {each}", flush=True)


def scanned(rows: Sequence[dict[str, Any]]) -> None:
    """Print how many prompts a CPU second the detector of suspicious prompts judges, by who speaks and what it is."""
    for role, label in (("user", 0), ("user", 1), ("tool", 0), ("tool", 1)):
        chosen = [row["text"] for row in rows if (row["role"], row["label"]) == (role, label)][:8000]
        calls = [call(role, text, number) for number, text in enumerate(chosen)]
        batches = [batch("spans", calls[at : at + 1000], received_ns=START_NS) for at in range(0, len(calls), 1000)]
        detector, began, found = prompts.build(prompts.Config()), time.process_time(), 0
        for number, part in enumerate(batches):
            found += len(detector.observe(Rows(part, number * 1000)))
        took, size = time.process_time() - began, sum(map(len, chosen)) // max(1, len(chosen))
        what = "attacks" if label else "benign"
        print(
            f"{role}, {what}: {len(chosen)} of {size} characters, {len(chosen) / took:,.0f} a CPU second, {found} found"
        )


def call(role: str, text: str, number: int) -> dict[str, Any]:
    """Return a model call in which `role` says `text`."""
    said = message("user", text) if role == "user" else {"type": "tool_call_response", "response": text}
    attributes = {
        "gen_ai.operation.name": "chat",
        "user.id": USERS[number % 500],
        "gen_ai.input.messages": encode([said]),
    }
    return {"@timestamp": START_NS + number * 10**9, "traceId": f"{number:032x}", "attributes": attributes}


def read(path: str) -> list[dict[str, Any]]:
    """Return the rows of a file of lines of JSON."""
    with gzip.open(path) if path.endswith(".gz") else Path(path).open("rb") as file:
        return [json.loads(line) for line in file]


def main() -> None:
    """Print the figures."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rows", type=int, default=40_000)
    options.add_argument("--spans", type=int, default=40_000)
    options.add_argument("--prompts", nargs="*", default=[])
    arguments = options.parse_args()
    screen()  # its tables are made once in a process
    step = Normaliser(Prices())
    logs = documents(arguments.rows)
    parts = iter(lambda: list(islice(logs, 4000)), [])
    watched("logs", stored((batch("logs", part, received_ns=START_NS) for part in parts), step))
    bodies = (part for _, body in requests(arguments.spans) for part in decoded(Signal.TRACES, body, 1)[1])
    watched("spans of two messages", stored(bodies, step))
    talks = conversations(arguments.spans // 4)
    parts = iter(lambda: list(islice(talks, 1000)), [])
    watched("calls of conversations", stored((batch("spans", part, received_ns=START_NS) for part in parts), step))
    if arguments.prompts:
        scanned([row for path in arguments.prompts for row in read(path)])


if __name__ == "__main__":
    main()
