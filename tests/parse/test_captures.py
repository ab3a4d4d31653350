"""Recorded logs of real programs, read in place."""

from __future__ import annotations

import gzip
import json
from datetime import UTC, datetime

import pytest

from treering.model.times import rfc3339_ns
from treering.parse.reader import Reader

NOW = int(datetime(2026, 11, 24, tzinfo=UTC).timestamp()) * 10**9


def read(path, now_ns=NOW):
    data = path.read_bytes()
    if path.suffix == ".gz":
        data = gzip.decompress(data)
    reader = Reader(now_ns=now_ns)
    parts = [reader.feed(data), reader.end()]
    assert [one for part in parts for one in part.rejected] == []
    return [record for part in parts for record in part.records], reader, data


@pytest.mark.parametrize("name", ["ecs", "loguru", "pythonjsonlogger", "structlog"])
def test_json_lines_of_python_loggers(shared, name):
    records, reader, data = read(shared / "captures" / "jsonlines" / f"{name}.log")
    lines = [json.loads(line) for line in data.splitlines()]
    assert reader.formats == {"json": len(lines)}
    for record, line in zip(records, lines, strict=True):
        assert record["severityNumber"] == {"hello": 9, "bad": 17}[record["body"]]
        assert "@timestamp" in record
        attributes = record.get("attributes", {})
        for key, value in line.items():
            if key in attributes:
                assert attributes[key] == value
            else:
                assert value in {record["body"], record["severityText"]} or (
                    rfc3339_ns(value.replace(",", ".")) == record["@timestamp"]
                )


def test_litellm_proxy_with_its_banner(shared):
    records, reader, data = read(shared / "captures" / "server-logs" / "litellm_1.106_proxy_json.log")
    lines = [line for line in data.splitlines() if line.startswith(b"{")]
    assert reader.formats["json"] == len(lines)
    assert set(reader.formats) == {"json", "text"}
    found = [record for record in records if "@timestamp" in record]
    assert len(found) == len(lines)
    requests = [one["attributes"] for one in found if "http.response.status_code" in one.get("attributes", {})]
    assert [one["http.response.status_code"] for one in requests] == [200, 200, 200, 429, 400]
    assert requests[3]["url.path"] == "/v1/chat/completions"
    (limited,) = [one for one in found if one.get("attributes", {}).get("litellm_call_id")]
    assert limited["attributes"]["exception.type"] == "litellm.exceptions.RateLimitError"


def test_chroma_events_of_three_lines(shared):
    records, reader, data = read(shared / "captures" / "server-logs" / "chroma_1.5.9_run.log")
    events = [record for record in records if "@timestamp" in record]
    assert reader.formats["tracing_pretty"] == sum(b"\x1b[2" in line for line in data.splitlines())
    assert all(record["attributes"]["code.file.path"].endswith(".rs") for record in events)
    assert not any("\x1b" in json.dumps(record, ensure_ascii=False) for record in records)
    queries = [one["attributes"] for one in events if "HTTP request" in one["attributes"].get("tracing.spans", ())]
    assert {one["http.method"] for one in queries} == {"GET", "POST"}
    assert all(one["http.uri"].startswith("/api/v2/") for one in queries)


def test_trainer_output(shared):
    records, reader, _ = read(shared / "captures" / "training" / "hf_trainer_stdout.log")
    assert reader.formats["trainer"] == 7
    losses = [one["attributes"]["training.loss"] for one in records if "training.loss" in one.get("attributes", {})]
    assert losses == [3.42, 3.423, 3.409, 3.408]


def test_weaviate_audit_trail(shared):
    records, reader, data = read(shared / "data" / "vector_access" / "weaviate.jsonl")
    assert reader.formats == {"json": len(data.splitlines())}
    for record, line in zip(records, map(json.loads, data.splitlines()), strict=True):
        assert record["@timestamp"] == rfc3339_ns(line.pop("time"))
        assert record["severityText"] == line.pop("level")
        assert record["body"] == line.pop("msg")
        assert record.get("attributes", {}) == line


# Shares of lines with a time and with a level where the system writes one.
LEVELLED = {"Android", "Apache", "BGL", "HDFS", "Hadoop", "OpenStack", "Spark", "Windows", "Zookeeper"}


@pytest.mark.parametrize(
    "system",
    [*sorted(LEVELLED), "HPC", "HealthApp", "Linux", "Mac", "OpenSSH", "Proxifier", "Thunderbird"],
)
def test_times_and_levels_of_sixteen_systems(shared, system):
    now = int(datetime(2018, 1, 15, tzinfo=UTC).timestamp()) * 10**9
    records, _, data = read(shared / "data" / "templates" / system / f"{system}_2k.log.gz", now)
    assert len(records) == len([line for line in data.splitlines() if line.strip()])
    assert all("@timestamp" in record for record in records)
    if system in LEVELLED:
        assert all("severityNumber" in record for record in records)


def test_training_logs_are_read_whole(shared):
    folder = shared / "data" / "training_runs" / "bigscience"
    formats: dict[str, int] = {}
    for path in sorted(folder.rglob("*.log.gz")):
        records, reader, _ = read(path)
        assert records
        for name, count in reader.formats.items():
            formats[name] = formats.get(name, 0) + count
    assert {"nccl", "megatron", "deepspeed", "transformers", "trainer", "slurm", "python_warning"} <= set(formats)
