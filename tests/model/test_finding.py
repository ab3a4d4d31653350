from __future__ import annotations

import numpy as np

from treering.model.batch import batch
from treering.model.finding import Entity, Evidence, Finding, Severity, excerpt, from_record, merged, to_record
from treering.model.rows import Rows


def _finding(**changes: object) -> Finding:
    fields: dict[str, object] = {
        "detector": "d",
        "rule": "r",
        "title": "t",
        "severity": Severity.MEDIUM,
        "key": ("a",),
        "start_ns": 1,
        "end_ns": 2,
        "noticed_ns": 3,
        "entities": (Entity("user", "ana"), Entity("user", "bo"), Entity("service", "rag")),
        "evidence": (Evidence("spans", 7, 1, "body", "drop it", ((0, 4),)),),
        "facts": {"limit": 3},
    }
    return Finding(**{**fields, **changes})  # type: ignore[arg-type]


def test_a_finding_survives_the_way_through_its_stream() -> None:
    finding = _finding()
    assert from_record(to_record(finding)) == finding
    assert to_record(finding)["entities"] == {"user": ["ana", "bo"], "service": "rag"}


def test_equal_keys_are_the_same_finding_and_fold() -> None:
    first, second = _finding(), _finding(severity=Severity.HIGH, title="worse", start_ns=0, evidence=())
    assert first.fingerprint == second.fingerprint != _finding(key=("b",)).fingerprint
    both = merged(first, second)
    assert (both.count, both.start_ns, both.severity, both.title) == (2, 0, Severity.HIGH, "worse")
    assert len(both.evidence) == 1


def test_much_evidence_shows_how_it_began_and_how_it_is_now() -> None:
    shown = [_finding(evidence=(Evidence("spans", seq, seq),)) for seq in range(100)]
    whole = shown[0]
    for part in shown[1:]:
        whole = merged(whole, part)
    assert [item.seq for item in whole.evidence] == [*range(10), *range(90, 100)]


def test_an_excerpt_is_bounded_and_keeps_its_first_span() -> None:
    text, spans = excerpt("x" * 5000 + "needle" + "y" * 5000, ((5000, 5006),))
    assert len(text) == 400
    assert text[slice(*spans[0])] == "needle"


def test_rows_give_columns_by_the_names_queries_use() -> None:
    records = [
        {"@timestamp": 5, "body": "a", "attributes": {"gen_ai.usage.input_tokens": 3, "tags": ["x"]}},
        {"@timestamp": 6, "body": {"k": 1}, "attributes": {"gen_ai.usage.input_tokens": "many"}},
    ]
    rows = Rows(batch("logs", records, received_ns=0), first_seq=10)
    assert rows.times.tolist() == [5, 6]
    assert rows.seqs.tolist() == [10, 11]
    assert list(rows.values("attributes.tags")) == [["x"], None]
    assert list(rows.texts("body")) == ["a", None]
    assert list(rows.values("attributes.gen_ai.usage.input_tokens")) == [3, "many"]
    assert np.isnan(rows.numbers("attributes.gen_ai.usage.input_tokens")).tolist() == [False, True]
    assert rows.record(1)["body"] == {"k": 1}
    assert list(rows.values("nothing")) == [None, None]
