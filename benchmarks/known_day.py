"""How well known days are detected, many seeds at once, without HTTP: found, noticed, folded, and what is false.

`python -m benchmarks.known_day --seeds 100-119` prints for each seed the pairwise F1 of the fold, the latest first
notice, what has no finding or no incident of its own, false incidents and findings. `--detail` adds each notice and
each incident; `--rate 5` plays five times the traffic, `--stories provider-errors` lets only that happen, `--stories
quiet` nothing. Records go through the decoders, the embedded store, all detectors (rules included) and the fold as in a
server whose clock is the records' time; about 45 s of CPU a seed.
"""

from __future__ import annotations

import argparse
import itertools
import json
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from typing import TYPE_CHECKING, Any

from treering.app import evidence
from treering.app.asking import asker
from treering.app.config import Detect, Settings
from treering.app.detectors import Detectors, makers
from treering.app.pipeline import enrichers, open_store
from treering.app.templating import Templates
from treering.app.watermark import Watermark
from treering.core.clock import ManualClock
from treering.correlate.fold import fold
from treering.model.batch import batch
from treering.model.finding import Finding, merged
from treering.parse.otlp import Signal, decode_protobuf
from treering.parse.reader import Reader
from treering.testing.day import FILES, Day, Emission
from treering.testing.day.clock import Story
from treering.testing.day.emission import BULK
from treering.testing.day.outcome import Outcome, first_records
from treering.testing.day.shown import unfounded

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from treering.model.batch import Batch
    from treering.stage.store import Store

END_NS = 1_795_543_200_000_000_000
_MINUTE_NS = 60 * 10**9
_SIGNALS = {"otlp_traces": Signal.TRACES, "grpc_traces": Signal.TRACES, "otlp_logs": Signal.LOGS}


def main() -> int:
    """Play the seeds and print how each was detected; returns 1 when one misses an aim."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--seeds", default="100-104", help="numbers and ranges: 100-119,7")
    options.add_argument("--detail", action="store_true", help="print every notice and every incident")
    options.add_argument("--rate", type=float, default=1.0, help="traffic, 1 is usual")
    options.add_argument("--stories", type=told, default=tuple(Story), help="ids of what happens, or `quiet`")
    arguments = options.parse_args()
    delays: list[float] = []
    missed = 0
    seeds = numbers(arguments.seeds)
    for seed in seeds:
        began = time.process_time()
        outcome = watch(Day(seed, end_ns=END_NS, rate=arguments.rate, stories=arguments.stories))
        verdict = outcome.misses()
        missed += bool(verdict)
        found = {one.id: delay for one in outcome.truth.incidents if (delay := outcome.delay_minutes(one)) is not None}
        delays += found.values()
        slowest = max(found, key=lambda name: found[name], default="nothing")
        print(
            f"seed {seed}: F1 {outcome.pairwise_f1():.3f}, latest notice {found.get(slowest, 0):.1f} min ({slowest}), "
            f"{len(outcome.false_incidents())} false of {len(outcome.incidents)} incidents, "
            f"{outcome.false_per_100k():.1f} false findings per 100,000 records, "
            f"{time.process_time() - began:.0f} s of CPU; {'; '.join(verdict) or 'meets the aims'}",
            flush=True,
        )
        if arguments.detail:
            detail(outcome)
    print(f"{len(seeds) - missed} of {len(seeds)} seeds meet all aims; notices: {spread(delays)}")
    return int(missed > 0)


def numbers(text: str) -> list[int]:
    """Return the seeds that `100-119,7` names."""
    found: list[int] = []
    for part in text.split(","):
        first, _, last = part.partition("-")
        found += range(int(first), int(last or first) + 1)
    return found


def told(text: str) -> tuple[Story, ...]:
    """Return the stories that `provider-errors,training-nan` names; none for `quiet`."""
    return () if text == "quiet" else tuple(Story(name) for name in text.split(","))


def spread(delays: Sequence[float]) -> str:
    """Return median, 95 % and greatest of some minutes."""
    if len(delays) < 2:
        return "none"
    middle, late = statistics.median(delays), statistics.quantiles(delays, n=20)[-1]
    return f"median {middle:.1f}, 95 % {late:.1f}, at most {max(delays):.1f} min"


def detail(outcome: Outcome) -> None:
    """Print when each thing was noticed and what each incident is made of."""
    for one in outcome.truth.incidents:
        print(f"  {one.id}: {outcome.delay_minutes(one)} min, {len(outcome.of(one))} findings")
    findings = {finding.fingerprint: finding for finding in outcome.findings}
    for incident in outcome.incidents:
        print(f"  {incident.id} {incident.kind} {incident.severity.value}: {incident.title[:90]}")
        for name in incident.findings:
            found = findings[name]
            label, when = outcome.explained.get(name, "-"), f"{_clock(found.start_ns)}-{_clock(found.end_ns)}"
            print(f"    {label:22} {found.detector}/{found.rule} {when} {found.title[:70]}")


def _clock(at_ns: int) -> str:
    minutes = (at_ns - END_NS) // _MINUTE_NS + 18 * 60
    return f"{minutes // 60 % 24:02d}:{minutes % 60:02d}"


def watch(day: Day) -> Outcome:
    """Return what the detectors and the fold make of a day."""
    with tempfile.TemporaryDirectory(prefix="treering-day-") as folder:
        settings = Settings(data=folder)
        store = open_store(settings)
        try:
            found, starts = _detected(day, settings, store)
            clues = list(evidence.clues(store, found))
            wrong, records = unfounded(found, store.records), store.newest_seq() + 1
        finally:
            store.close()
    truth = day.truth()
    return Outcome(truth, found, fold(clues).incidents, first_records(truth, starts), records, wrong)


def _detected(day: Day, settings: Settings, store: Store) -> tuple[list[Finding], dict[str, int]]:
    """Return the findings of a day, each once, and when each trace began."""
    clock = ManualClock(day.start_ns)
    detectors, watermark = Detectors(makers(Detect())), Watermark(settings.detect.lateness_s)
    ask = asker(store, clock.now_ns)
    steps = enrichers(settings, Templates())
    known: dict[str, Finding] = {}
    starts: dict[str, int] = {}

    def keep(found: Sequence[Finding]) -> None:
        for finding in found:
            name = finding.fingerprint
            known[name] = merged(known[name], finding) if name in known else finding

    position = -1
    for at_ns, batches in _minutes(day, starts):
        clock.advance(max(0.0, (at_ns - clock.now_ns()) / 1e9))
        store.append([_through(data, steps) for data in batches])
        position, stored = store.since(position, 100_000, detectors.streams)
        keep(detectors.take(stored, watermark, clock.now_ns(), clock.monotonic(), ask))
    keep(detectors.finish(watermark.finish(), ask))
    failures = {name: failure.last for name, failure in detectors.failures.items()}
    if failures:
        raise SystemExit(f"detectors failed: {failures}")
    return list(known.values()), starts


def _through(data: Batch, steps: Sequence[Callable[[Batch], Batch]]) -> Batch:
    for step in steps:
        data = step(data)
    return data


def _minutes(day: Day, starts: dict[str, int]) -> Iterator[tuple[int, list[Batch]]]:
    """Yield each minute's end and its records; notes in `starts` when each trace began."""
    readers = {
        f"file:{file.path}": Reader(
            {"serviceName": file.service, "resource": {"attributes": {"host.name": file.host}}}, now_ns=day.end_ns
        )
        for file in FILES
    }
    waiting: dict[str, list[dict[str, Any]]] = defaultdict(list)
    minute = day.start_ns // _MINUTE_NS
    for emission in itertools.chain(day, [Emission(day.end_ns + _MINUTE_NS, "", b"", 0)]):
        if emission.at_ns // _MINUTE_NS != minute:
            minute = emission.at_ns // _MINUTE_NS
            yield emission.at_ns, [batch(name, held, received_ns=emission.at_ns) for name, held in waiting.items()]
            waiting.clear()
        stream, records = _records(emission, readers)
        if records:
            waiting[stream] += records
        if stream == "spans":
            for record in records:
                trace, begun = record["traceId"], record["startTime"]
                starts[trace] = min(starts.get(trace, begun), begun)


def _records(emission: Emission, readers: Mapping[str, Reader]) -> tuple[str, list[dict[str, Any]]]:
    if signal := _SIGNALS.get(emission.channel):
        return signal.stream, decode_protobuf(signal, emission.payload, emission.at_ns).records
    if emission.channel == BULK:
        return "logs", [json.loads(line) for line in emission.payload.splitlines()[1::2]]
    if reader := readers.get(emission.channel):
        return "logs", reader.feed(emission.payload).records + reader.flush().records
    return "", []


if __name__ == "__main__":
    sys.exit(main())
