"""Metrics pages: what the formats' specifications show, what real libraries write, and anything at all."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info, Summary, generate_latest
from prometheus_client.openmetrics import exposition as openmetrics

from treering.parse.prometheus import parse

if TYPE_CHECKING:
    from pathlib import Path

NOW = 1_795_489_000 * 10**9


def one(text: str, **options: Any) -> dict[str, Any]:
    (record,) = parse(text, NOW, **options).records
    return record


def registry() -> CollectorRegistry:
    found = CollectorRegistry()
    Counter("requests", "How many\nrequests \\ é", ["path"], registry=found).labels('/a"b\\c\nd').inc(3)
    Gauge("temperature", "", registry=found).set(math.nan)
    histogram = Histogram("latency", "", ["m"], registry=found, buckets=(0.1, 1))
    for value in (0.05, 0.5, 5):
        histogram.labels("x").observe(value, {"trace_id": "abc"})
    Summary("size", "", registry=found).observe(7)
    Info("build", "", registry=found).info({"version": "1"})
    return found


@pytest.mark.parametrize("dialect", ["text", "openmetrics"])
def test_what_the_python_client_writes(dialect: str) -> None:
    write = openmetrics.generate_latest if dialect == "openmetrics" else generate_latest
    page = parse(write(registry()).decode(), NOW, {"serviceName": "s"}, openmetrics=dialect == "openmetrics")
    assert page.rejected == 0
    found = {record["name"]: record for record in page.records}
    requests = found["requests_total"]
    assert requests["attributes"] == {"path": '/a"b\\c\nd'}
    assert (requests["kind"], requests["value"], requests["isMonotonic"]) == ("SUM", 3.0, True)
    assert requests["description"] == "How many\nrequests \\ é"
    assert requests["serviceName"] == "s"
    assert math.isnan(found["temperature"]["value"])
    latency = found["latency"]
    assert (latency["count"], latency["sum"]) == (3, 5.55)
    assert (latency["bucketCountsList"], latency["explicitBounds"]) == ([1, 1, 1], [0.1, 1.0])
    assert (found["size"]["kind"], found["size"]["count"], found["size"]["sum"]) == ("SUMMARY", 1, 7.0)
    assert found["build_info"]["attributes"] == {"version": "1"}
    if dialect == "openmetrics":
        assert abs(requests["startTime"] - time.time_ns()) < 60e9
        assert abs(latency["startTime"] - time.time_ns()) < 60e9
        assert [example["traceId"] for example in latency["exemplars"]] == ["abc"] * 3


def test_the_page_of_a_real_weaviate(shared: Path) -> None:
    text = (shared / "data/vector_access/metrics.txt").read_text()
    page = parse(text, NOW)
    assert page.rejected == 0
    samples = [line for line in text.splitlines() if line and line[0] != "#"]
    plain = [record for record in page.records if "value" in record]
    parts = sum(
        len(record.get("bucketCountsList", []))
        + len(record.get("quantiles", []))
        + ("sum" in record)
        + ("count" in record)
        for record in page.records
        if "value" not in record
    )
    assert len(plain) + parts == len(samples)
    requests = [r for r in page.records if r["name"] == "requests_total" and r["attributes"]["query_type"] == "Get"]
    assert {record["attributes"]["class_name"] for record in requests} >= {"Payroll", "HrPolicies"}


def test_times_and_units() -> None:
    assert one("a 1 1795489000123")["time"] == NOW + 123_000_000
    assert one("a 1 1795489000.123", openmetrics=True)["@timestamp"] == NOW + 123_000_000
    record = one("# TYPE t_seconds gauge\n# UNIT t_seconds seconds\nt_seconds 2\n# EOF\n", openmetrics=True)
    assert (record["unit"], record["value"], record["time"]) == ("seconds", 2, NOW)
    assert one("a 9007199254740993")["value"] == 9_007_199_254_740_993
    assert one("a{} +Inf")["value"] == math.inf
    assert one("vllm:gpu_cache_usage_perc 0.5")["name"] == "vllm:gpu_cache_usage_perc"


@pytest.mark.parametrize(
    "line", ["no value", "a", "a{b} 1", 'a{b="c} 1', "a 1 soon", 'a{b="c"', "1a 2", "a x", 'a{b="c" d="e" 1', "<html>"]
)
def test_lines_that_are_no_samples_are_counted(line: str) -> None:
    page = parse(f"good 1\n{line}\nother 2\n", NOW)
    assert ([record["name"] for record in page.records], page.rejected) == (["good", "other"], 1)


@settings(deadline=None, max_examples=200)
@given(st.text(max_size=300) | st.text('abc{}"\\=,# \n0123_\t', max_size=300))
def test_any_text(text: str) -> None:
    parse(text, NOW)
    parse(text, NOW, openmetrics=True)


@settings(deadline=None, max_examples=100)
@given(st.dictionaries(st.text("abc_", min_size=1, max_size=5), st.text(max_size=20), max_size=4), st.floats())
def test_labels_and_values_come_back(labels: dict[str, str], value: float) -> None:
    def quoted(text: str) -> str:
        return text.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')

    lines = ",".join(f'{name}="{quoted(text)}"' for name, text in labels.items())
    text = f"x{{{lines}}} {value!r}\n"
    if "\r" in text or any(char in text for char in "\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029"):
        return
    record = one(text)
    assert record.get("attributes", {}) == labels
    assert record["value"] == value or math.isnan(value)


def test_hostile_pages_take_linear_time() -> None:
    for text in ('a{b="' + "\\" * 200_000, "a{" + 'b="c",' * 100_000 + "} 1", "a_" * 50_000 + " 1\n", "# " * 200_000):
        began = time.perf_counter()
        parse(text, NOW)
        assert time.perf_counter() - began < 10
