"""The table of figures of the shipped model, on texts that it was not trained on."""

from __future__ import annotations

import json
import time
from random import Random
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.injection import data, grammar
from benchmarks.injection.disguises import DISGUISES
from benchmarks.injection.figures import Sample, auc, interval, recall, thresholds
from treering.detect import _prompt_scan
from treering.detect._heard import Heard
from treering.detect._injection_model import learnt
from treering.detect._second_look import SecondLook, calibration
from treering.detect._texts import sources
from treering.model.batch import batch
from treering.model.rows import Rows

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.injection.data import Row

SHARES = (0.01, 0.001)


class Judge:
    """Judges rows as the detector does: phrases, then the model over all views of a text."""

    def __init__(self) -> None:
        """Load what is shipped."""
        self.scanner, self.look = _prompt_scan.scanner(), SecondLook((np.inf, np.inf))

    def odds(self, said: Sequence[tuple[str, str]]) -> Any:
        """Return the log-odds of each (role, text)."""
        held: list[float] = []
        for first in range(0, len(said), 1000):
            part = said[first : first + 1000]
            held += [opinion.odds for opinion in self.look.opinions(part, self.scanner.verdicts(part))]
        return np.maximum(np.array(held), -50.0)

    def sample(self, rows: Sequence[Row]) -> Sample:
        """Return the judged rows."""
        return Sample(self.odds([(row.role, row.text) for row in rows]), np.array([row.source for row in rows]))


def main() -> None:
    """Print everything."""
    judge = Judge()
    rows = [*data.rows("look"), *(row for row in data.rows("train") if row.source in data.UNLICENSED)]
    held_out()
    people(judge, rows)
    documents(judge, rows)
    disguises(judge, [row for row in rows if row.role == "user"])
    speed(rows)


def held_out() -> None:
    """Print what was measured in training: each family of sources judged by weights that know nothing of it."""
    print("families of training, each by weights that were fitted without it, against benign sources never trained on")
    for head, part in learnt().facts.items():
        for name, figures in part.get("held_out", {}).items():
            print(f"  {head:5} {name:28}", *(f"{what} {value}" for what, value in figures.items()))


def people(judge: Judge, rows: Sequence[Row]) -> None:
    """Print the figures of what people say."""
    said = [row for row in rows if row.role == "user"]
    judged, label = judge.sample(said), np.array([row.label for row in said])
    attacks, benign = judged.where(label == 1), judged.where(label == 0)
    print(f"people: {len(attacks.odds)} attacks; {len(benign.odds)} benign texts, {len(set(benign.source))} sources")
    _line("AUC", auc, attacks, benign)
    for share in SHARES:
        _line(f"recall at {share:.1%} false alarms", lambda a, b, s=share: recall(a, b, s), attacks, benign)
    limits = calibration().user
    for budget, limit in limits.items():
        shares = f"recall {np.mean(attacks.odds > limit):.3f}, false alarms {_macro(benign, limit):.4f}"
        print(f"  shipped threshold of {budget}: {shares} (mean of sources)")
    kept = passed([row.text for row in said])
    for budget in ("0.01", "0.001"):
        hit = np.mean((attacks.odds > limits[budget]) & kept[label == 1])
        false = _macro(Sample(np.where(kept[label == 0], benign.odds, -50.0), benign.source), limits[budget])
        print(f"  of texts in which a phrase could be, {budget}: recall {hit:.3f}, false alarms {false:.4f}")
    undone(judge, [row.text for row in said if row.label == 0], limits["0.01"])
    transfer(benign)
    by_source(attacks, benign, limits["0.01"])
    special(judge, said, limits["0.01"])


def passed(texts: Sequence[str]) -> Any:
    """Return which texts the detector reads unless it is told to read everything."""
    spans = [{"attributes": {"gen_ai.input.messages": json.dumps([{"role": "user", "content": t}])}} for t in texts]
    rows = Rows(batch("spans", spans, received_ns=1), 0)
    heard, kept = Heard(rows, ()), np.zeros(len(texts), bool)
    for source in sources(rows):
        kept[heard.suspicious(source, model=True)] = True
    return kept


def undone(judge: Judge, benign: Sequence[str], limit: float) -> None:
    """Print which share of benign texts is an alarm only because of how else they were read."""
    said = [("user", text) for text in benign]
    found = SecondLook((limit, limit)).opinions(said, judge.scanner.verdicts(said))
    share = np.mean([opinion.verdict is not None and bool(opinion.verdict.kinds) for opinion in found])
    print(f"  false alarms for a text decoded or read otherwise, shipped 1 %: {share:.5f}")


def transfer(benign: Sample) -> None:
    """Print what a threshold for 1 % does on a benign source that it was not set on, for each in turn."""
    found = {}
    for source in sorted(set(benign.source)):
        others = benign.where(benign.source != source)
        found[source] = np.mean(benign.odds[benign.source == source] > thresholds(others.odds, others.source)["0.01"])
    print(f"  a threshold of 1 % on a source it was not set on: mean {np.mean(list(found.values())):.4f};", end=" ")
    print(", ".join(f"{source} {share:.3f}" for source, share in found.items()))


def by_source(attacks: Sample, benign: Sample, limit: float) -> None:
    """Print recall and false alarms of each source."""
    for name, sample in (("recall", attacks), ("false alarms", benign)):
        for source in sorted(set(sample.source)):
            part = sample.odds[sample.source == source]
            print(f"    {name} at the shipped 1 %: {source:22} {np.mean(part > limit):.3f} of {len(part)}")


def special(judge: Judge, said: Sequence[Row], limit: float) -> None:
    """Print the figures of other languages and of benign texts full of trigger words."""
    others = [row for row in said if row.lang in {"de", "fr", "es", "it", "zh"}]
    odds, labels = judge.sample(others).odds, np.array([row.label for row in others])
    hit, false = np.mean(odds[labels == 1] > limit), np.mean(odds[labels == 0] > limit)
    print(f"  not English: recall {hit:.3f} of {sum(labels)}, false alarms {false:.4f} of {sum(labels == 0)}")
    trigger = [row for row in said if row.source == "bastioncorpus" and row.label == 0]
    right = 1 - np.mean(judge.sample(trigger).odds > limit)
    print(f"  benign texts full of trigger words, right: {right:.3f} of {len(trigger)}")


def _line(name: str, figure: Any, attacks: Sample, benign: Sample) -> None:
    low, high = interval(figure, attacks, benign)
    print(f"  {name}: {figure(attacks.odds, benign.odds):.3f} ({low:.3f} to {high:.3f} over sources)")


def _macro(sample: Sample, limit: float) -> float:
    return float(np.mean([np.mean(sample.odds[sample.source == s] > limit) for s in set(sample.source)]))


def documents(judge: Judge, rows: Sequence[Row]) -> None:
    """Print the figures of documents and what tools return, and of texts that only mention attacks."""
    print("documents, results of tools, lines of logs (documents that were trained on are above)")
    limits = calibration().data
    said = [*(row for row in [*rows, *data.rows("other")] if row.role == "tool"), *data.log_lines()]
    judged, label = judge.sample(said), np.array([row.label for row in said])
    for source in sorted(set(judged.source)):
        for kind in (-1, 0, 1):
            part = judged.odds[(judged.source == source) & (label == kind)]
            if len(part):
                shares = ", ".join(f"{np.mean(part > limits[b]):.3f} at {b}" for b in ("0.01", "0.001"))
                print(f"  {source:32} label {kind:2}: alarms {shares} of {len(part)}")


def disguises(judge: Judge, rows: Sequence[Row]) -> None:
    """Print which share of the attacks that are seen in clear is seen in disguise."""
    limit = calibration().user["0.01"]
    attacks = [row.text for row in rows if row.label == 1 and row.text.isascii() and 20 < len(row.text) < 400]
    odds = judge.odds([("user", text) for text in attacks])
    caught = [text for text, one in zip(attacks, odds, strict=True) if one > limit][:150]
    print(f"disguises of {len(caught)} attacks that are seen in clear")
    for name, disguise in DISGUISES.items():
        found = judge.odds([("user", disguise(text)) for text in caught])
        print(f"  {name:28} {np.mean(found > limit):.3f}")


def speed(rows: Sequence[Row]) -> None:
    """Print texts per CPU second: the model with its views, the phrases, and both."""
    random = Random(5)
    own = [t["text"] for t in grammar.texts("benign", 200, random)]
    parts = {
        "prompts": [("user", row.text) for row in rows if row.role == "user"],
        "short prompts of our own": [("user", text) for text in own],
        "documents": [("tool", row.text) for row in rows if row.role == "tool"],
    }
    for name, found in parts.items():
        # None may be remembered from before, so each is made a text that nobody has seen.
        fresh, said = Judge(), [(role, f"{text} {number}") for number, (role, text) in enumerate(found)]
        began = time.process_time()
        ruled = [v for first in range(0, len(said), 1000) for v in fresh.scanner.verdicts(said[first : first + 1000])]
        phrases = time.process_time() - began
        fresh.look.opinions(said[:10], ruled[:10])
        began = time.process_time()
        fresh.look.opinions(said, ruled)
        model = time.process_time() - began
        size = np.median([len(text) for _, text in said])
        rates = (len(said) / seconds for seconds in (model, phrases, model + phrases))
        print(
            f"{name} (median {size:.0f} characters), a CPU second:",
            *(f"{what} {rate:,.0f}" for what, rate in zip(("model with views", "phrases", "both"), rates, strict=True)),
        )
