"""Every detector keeps the contract of detectors, those of installed packages too."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import ModuleType
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from treering.app.asking import asker
from treering.app.config import Settings
from treering.app.pipeline import open_store
from treering.core import registry
from treering.model.batch import batch
from treering.stage.detector import Ask
from treering.testing.detector_contract import NOW_NS, DetectorContract, detector, feed, run

GROUP = "treering.detect"
NAMES = registry.names(GROUP)
ASKING = frozenset({"rules"})
"""Detectors that say nothing without a store to ask."""

_texts = st.one_of(
    st.text(max_size=40),
    st.sampled_from(
        [
            "chat",
            "execute_tool",
            "retrieval",
            "Killed process 7 (x)",
            "CrashLoopBackOff",
            "{'loss': 'nan', 'grad_norm': 'inf'}",
            "NVRM: Xid (PCI:0000:b1:00): 63, pid=1",
            "Traceback (most recent call last):",
            '[{"score": 1e999}]',
            "[[[[[[",
            "\u0000\u202e" * 20,
            "9" * 5000,
            "SPAN_KIND_SERVER",
        ]
    ),
)
_numbers = st.one_of(
    st.integers(-(2**70), 2**70), st.floats(), st.sampled_from([0, -1, 2**63 - 1, float("nan"), float("inf"), 1e308])
)
_values = st.recursive(
    st.one_of(st.none(), st.booleans(), _numbers, _texts),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=8), inner, max_size=3)),
    max_leaves=6,
)
_ATTRIBUTES = (
    "http.route", "http.response.status_code", "http.server.request.duration", "gen_ai.operation.name",
    "gen_ai.request.model", "gen_ai.response.model", "gen_ai.tool.name", "gen_ai.tool.call.arguments",
    "gen_ai.usage.input_tokens", "gen_ai.usage.output_tokens", "gen_ai.conversation.id", "gen_ai.agent.name",
    "gen_ai.retrieval.documents", "gen_ai.input.messages", "gen_ai.output.messages", "gen_ai.data_source.id",
    "gen_ai.response.time_to_first_chunk", "user.id", "error.type", "treering.cost.usd", "log.file.name",
)  # fmt: skip
_FIELDS = (
    "serviceName", "name", "kind", "durationInNanos", "severityNumber", "severityText", "body", "traceId", "spanId",
    "parentSpanId", "status", "resource", "template", "startTime", "endTime",
)  # fmt: skip
_records = st.fixed_dictionaries(
    {"@timestamp": st.integers(1_771_999_000_000_000_000, 1_772_001_000_000_000_000)},
    optional={
        **dict.fromkeys(_FIELDS, _values),
        "attributes": st.one_of(_values, st.fixed_dictionaries({}, optional=dict.fromkeys(_ATTRIBUTES, _values))),
    },
)


@pytest.mark.parametrize("name", NAMES)
class TestEveryDetector(DetectorContract):
    @pytest.fixture(autouse=True)
    def _choose(self, name: str) -> None:
        self.module = registry.load(GROUP, name)

    def make(self) -> ModuleType:
        return self.module

    @contextmanager
    def asking(self, stream: str, records: Sequence[Mapping[str, Any]]) -> Iterator[Ask | None]:
        if self.module.NAME not in ASKING:
            yield None
            return
        with tempfile.TemporaryDirectory() as folder:
            store = open_store(Settings(data=folder))
            store.append([batch(stream, records, received_ns=NOW_NS)])
            yield asker(store, lambda: NOW_NS)
            store.close()

    @settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
    @given(records=st.lists(_records, min_size=1, max_size=12), stream=st.sampled_from(["logs", "spans", "metrics"]))
    def test_hostile_records_never_raise(self, records: list[dict[str, Any]], stream: str) -> None:
        super().test_hostile_records_never_raise(records, stream)


def test_there_are_detectors() -> None:
    assert {"crashes", "errors", "latency", "spend", "throughput", "tokens", "cost"} <= set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_module_says_what_it_is(name: str) -> None:
    module = registry.load(GROUP, name)
    assert name == module.NAME
    assert len(module.__doc__ or "") > 100
    assert isinstance(module.ORDER_FREE, bool)
    assert run(module, module.EXAMPLES[0]) is not None
    assert feed(detector(module), "logs", [], 10) == []
