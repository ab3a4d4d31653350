"""Tables aligned with blanks and lists of YAML, as `kubectl` and Slurm print them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from treering.parse.aligned import AlignedTable, columns
from treering.parse.yaml_items import YamlItems, is_list

EVENTS = """\
LAST SEEN   TYPE      REASON             OBJECT       MESSAGE
2m3s        Warning   BackOff            pod/vllm-0   Back-off restarting failed container
9m          Normal    Pulled             pod/vllm-0   Container image "vllm" already present
""".splitlines()
PODS = [
    "NAME     READY   STATUS             RESTARTS      AGE",
    "vllm-0   0/1     CrashLoopBackOff   7 (2m3s ago)   31m",
]
SACCT = [
    "JobID           JobName      State ",
    "------------ ---------- ---------- ",
    "8033           pretrain  NODE_FAIL ",
]
YAML = """\
apiVersion: v1
items:
- apiVersion: v1
  kind: Event
  lastTimestamp: "2026-11-20T03:00:30Z"
  message: 'Readiness probe failed: HTTP 500'
  metadata:
    name: a
    namespace: ml
  reason: Unhealthy
  type: Warning
- apiVersion: v1
  kind: Event
  lastTimestamp: 2026-11-20T03:01:30Z
  message: |
    two
    lines
  reason: Pulled
  type: Normal
kind: List
metadata:
  resourceVersion: ""
""".splitlines()


def table(lines: list[str]) -> list[dict[str, Any]]:
    named = columns(lines[0], lines[1])
    assert named is not None
    return AlignedTable(named, now_ns=1).feed(lines[1:])[0]


def test_events_and_pods_and_jobs() -> None:
    first, second = table(EVENTS)
    assert (first["severityText"], first["severityNumber"], second["severityNumber"]) == ("Warning", 13, 9)
    assert first["body"] == "Back-off restarting failed container"
    assert first["attributes"] == {"last seen": "2m3s", "type": "Warning", "reason": "BackOff", "object": "pod/vllm-0"}
    (pod,) = table(PODS)
    assert (pod["attributes"]["status"], pod["attributes"]["restarts"]) == ("CrashLoopBackOff", "7 (2m3s ago)")
    (job,) = table(SACCT)
    assert job["attributes"] == {"jobid": 8033, "jobname": "pretrain", "state": "NODE_FAIL"}


@pytest.mark.parametrize(
    ("header", "row"),
    [
        ("Starting container now", "INFO ready"),
        ("ERROR  FAILED  AGAIN", "nothing of the kind here"),
        ("NAME  READY", "a     1"),
        ("2026-11-20 03:00:00 INFO  X", "2026-11-20 03:00:01 INFO  Y"),
    ],
)
def test_what_is_no_header(header: str, row: str) -> None:
    assert columns(header, row) is None


def test_items_of_a_list_are_records() -> None:
    assert is_list("\n".join(YAML))
    assert not is_list("apiVersion: v1\nkind: Pod\n")
    items = YamlItems(now_ns=1, defaults={"attributes": {"log.file.name": "e.yaml"}})
    records = items.feed(YAML)[0] + items.end()[0]
    assert [one["severityText"] for one in records] == ["Warning", "Normal"]
    assert [one["body"] for one in records] == ["Readiness probe failed: HTTP 500", "two\nlines\n"]
    assert records[1]["@timestamp"] - records[0]["@timestamp"] == 60 * 10**9
    assert records[0]["attributes"]["metadata"] == {"name": "a", "namespace": "ml"}


def test_aliases_are_not_followed() -> None:
    bomb = ["- a: &a [x, x, x]", "  b: &b [*a, *a]", "  c: [*b, *b]"]
    items = YamlItems(now_ns=1, defaults={})
    assert items.feed(bomb) == ([], [])
    assert items.end() == ([], ["\n".join(bomb)])


_line = st.sampled_from([*YAML, *EVENTS, *PODS, *SACCT]) | st.text(max_size=40)


@settings(max_examples=60, deadline=None)
@given(st.lists(_line.filter(lambda line: "\n" not in line), min_size=2, max_size=12))
def test_any_lines_can_be_read(lines: list[str]) -> None:
    items = YamlItems(now_ns=1, defaults={})
    items.feed(lines)
    items.end()
    if (named := columns(lines[0], lines[1])) is not None:
        assert len(AlignedTable(named, now_ns=1).feed(lines[1:])[0]) <= len(lines) - 1
