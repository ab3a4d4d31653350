"""Model calls among the records: suspicious prompts, secrets, and what the calls cost; prompts in plain lines.

The records go through the same normalising, prices and detectors as those that are stored (`treering scan` runs all
detectors). Looked at are spans and records with attributes of AI telemetry, up to a number that keeps it quick, and
lines of other logs that have the words of an attack, in the first megabytes.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import msgspec

from treering.app.examiner import Examiner, Remark
from treering.core import registry
from treering.core.config import decode
from treering.model import semconv
from treering.model.batch import batch
from treering.model.finding import Severity, merged, to_record
from treering.model.rows import Rows

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from treering.app.examiner import File
    from treering.model.batch import Batch
    from treering.model.finding import Finding
    from treering.stage.detector import Detector

DETECTORS = ("prompts", "secrets")
_AT_ONCE = 1000
_MOST_RECORDS = 200_000
_MOST_FINDINGS = 2000
_SHOWN = 50
_MOST_CHARACTERS = 32 << 20
"""Of plain lines that are looked through for prompts."""
_FAMILIES = frozenset(
    {"gen_ai", "llm", "traceloop", "openinference", "input", "output", "ai", "langfuse", "langsmith", "mcp", "prompt",
     "messages", "modelId", "model", "completion"}
)  # fmt: skip
_WEIGHTS = {Severity.CRITICAL: 96.0, Severity.HIGH: 90.0, Severity.MEDIUM: 80.0, Severity.LOW: 55.0}
_MODEL = ("attributes.gen_ai.response.model", "attributes.gen_ai.request.model")


class ModelCalls(Examiner):
    """Looks at what is said to models and by them."""

    name = "model_call_findings"

    def __init__(self) -> None:
        """Begin without detectors: most logs have nothing for them, and they take a while to make."""
        self._detectors: list[Detector] = []
        self._normalise: Callable[[Batch], Batch] | None = None
        self._waiting: dict[str, list[Mapping[str, Any]]] = {}
        self._findings: dict[str, Finding] = {}
        self._cost: dict[str, float] = {}
        self._unpriced: Counter[str] = Counter()
        self._seen = self._left = self._characters = 0
        self._file = ""

    def begin(self, file: File) -> None:
        """Remember which file it is."""
        self._file = file.name

    def lines(self, lines: Sequence[str]) -> None:
        """Keep plain lines that have the words of an attack; those of AI telemetry come as records."""
        from treering.detect._logged import spoken

        if self._characters > _MOST_CHARACTERS or not lines:
            return
        self._characters += sum(map(len, lines))
        for place in spoken(lines):
            if not self._is_telemetry(lines[place]):
                record = {"body": lines[place], "attributes": {"log.file.name": self._file}}
                self._waiting.setdefault("logs", []).append(record)

    def _is_telemetry(self, line: str) -> bool:
        try:
            record = msgspec.json.decode(line)
        except (msgspec.DecodeError, UnicodeEncodeError, RecursionError):
            return False
        return isinstance(record, dict) and self.wants(record)

    def wants(self, record: Mapping[str, Any]) -> bool:
        """Whether a record is AI telemetry, as far as its names tell."""
        attributes = record.get("attributes")
        named = attributes if isinstance(attributes, dict) else record
        return any(name.partition(".")[0] in _FAMILIES for name in named)

    def record(self, record: Mapping[str, Any], stream: str) -> None:
        """Keep a record until there are enough to look at them together."""
        if stream not in {"spans", "logs"} or not (stream == "spans" or self.wants(record)):
            return
        if self._seen >= _MOST_RECORDS:
            self._left += 1
            return
        self._seen += 1
        waiting = self._waiting.setdefault(stream, [])
        waiting.append(record)
        if len(waiting) >= _AT_ONCE:
            self._look(stream)

    def end(self) -> None:
        """Look at what waits."""
        for stream in list(self._waiting):
            self._look(stream)

    def _look(self, stream: str) -> None:
        records = self._waiting.pop(stream, [])
        if not records:
            return
        if self._normalise is None:
            self._normalise = self._prepare()
        rows = Rows(self._normalise(batch(stream, records, received_ns=0)))
        self._price(rows)
        for detector in self._detectors:
            for finding in detector.observe(rows):
                held = self._findings.get(finding.fingerprint)
                if held is not None or len(self._findings) < _MOST_FINDINGS:
                    self._findings[finding.fingerprint] = finding if held is None else merged(held, finding)

    def _prepare(self) -> Callable[[Batch], Batch]:
        from treering.parse.genai.normalise import Normaliser
        from treering.parse.prices import Prices

        for name in DETECTORS:
            module = registry.load("treering.detect", name)
            self._detectors.append(module.build(decode({}, module.Config, name)))
        return Normaliser(Prices())

    def _price(self, rows: Rows) -> None:
        costs = rows.values(f"attributes.{semconv.COST}")
        answered, asked = (rows.values(name) for name in _MODEL)
        tokens = rows.values("attributes.gen_ai.usage.input_tokens")
        for cost, first, second, read in zip(costs, answered, asked, tokens, strict=True):
            model = first or second
            if isinstance(cost, float) and isinstance(model, str):
                self._cost[model] = self._cost.get(model, 0.0) + cost
            elif isinstance(model, str) and isinstance(read, int):
                self._unpriced[model] += 1

    def remarks(self) -> list[Remark]:
        """Return the findings, the gravest first, and the cost."""
        found = [_remark(finding) for finding in self._findings.values()]
        if self._cost:
            model, most = max(self._cost.items(), key=lambda pair: pair[1])
            title = f"model calls cost ${sum(self._cost.values()):,.4f}, most of it {model} (${most:,.4f})"
            found.append(Remark(31, "cost", title))
        return found

    def unknown(self) -> list[str]:
        """Return the models without a price, and the records that were not looked at."""
        found = []
        if self._unpriced:
            names = ", ".join(f"{name} ({count:,} calls)" for name, count in self._unpriced.most_common(3))
            found.append(f"the cost of {names}: no price is known")
        if self._left:
            found.append(f"prompts of {self._left:,} records after the first {_MOST_RECORDS:,}: use `treering scan`")
        if self._characters > _MOST_CHARACTERS:
            found.append(f"prompts in plain lines after the first {_MOST_CHARACTERS >> 20} MB: use `treering scan`")
        return found

    def details(self) -> Any:
        """Return findings as records, dollars by model."""
        if not self._findings and not self._cost and not self._unpriced:
            return None
        ordered = sorted(self._findings.values(), key=lambda one: (-one.severity.rank, -one.score, one.start_ns))
        return {
            "findings": [to_record(finding) for finding in ordered[:_SHOWN]],
            "count": len(ordered),
            "cost_usd": {name: round(cost, 6) for name, cost in sorted(self._cost.items(), key=lambda pair: -pair[1])},
            "unpriced_calls": dict(self._unpriced.most_common()),
        }


def _remark(finding: Finding) -> Remark:
    who = next((f"{entity.kind} {entity.value}" for entity in finding.entities), "")
    title = f"{finding.title}{f' ({who})' if who else ''}"
    shown = finding.evidence[0].excerpt if finding.evidence else ""
    often = f"{finding.count:,} times; " if finding.count > 1 else ""
    return Remark(_WEIGHTS.get(finding.severity, 50.0) * finding.score, finding.detector, title, f"{often}{shown}")
