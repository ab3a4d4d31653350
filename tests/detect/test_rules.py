"""Rules: files are refused with their place, shipped cases hold, episodes are told once, restarts forget nothing."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.detect.feeding import START_NS, fold
from treering.app.asking import asker
from treering.app.config import Settings
from treering.app.pipeline import open_store
from treering.app.rulebook import backtest, check, records
from treering.core.errors import UserError
from treering.detect import rules
from treering.detect._rule_files import decode, load
from treering.model.batch import batch
from treering.model.finding import Finding
from treering.model.rows import Rows

RULE = """
- id: disk-full
  title: a disk is full
  condition: ["source=logs | where like(body, '%disk full%')"]
  needs: [{body: [disk full]}]
  threshold: 3
  window: 5m
  tests:
    match: [[{serviceName: a, body: disk full, _times: 3}]]
    no_match: [[{serviceName: a, body: disk full}]]
"""


class Field:
    """A store, a detector of one rule over it, and a clock."""

    def __init__(self, folder: Path, text: str = RULE) -> None:
        self.store = open_store(Settings(data=str(folder)))
        self.now_ns = START_NS
        self.rules = decode(text, "test")
        self.detector = rules.Rules(rules.Config(), self.rules)
        self.ask = asker(self.store, lambda: self.now_ns)

    def take(self, found: list[dict[str, Any]], stream: str = "logs") -> list[Finding]:
        given = batch(stream, found, received_ns=START_NS)
        first = self.store.append([given])
        self.detector.observe(Rows(given, first))
        self.now_ns = max(self.now_ns, int(Rows(given).times.max()) + 10**9)
        return fold(self.detector.tick(self.now_ns, self.ask))


@pytest.fixture
def field(tmp_path: Path) -> Iterator[Field]:
    made = Field(tmp_path / "data")
    yield made
    made.store.close()


def line(second: float, body: str = "disk full", service: str = "a") -> dict[str, Any]:
    return {"@timestamp": START_NS + int(second * 1e9), "serviceName": service, "body": body}


def test_there_are_twenty_and_each_says_what_it_is() -> None:
    shipped = load()
    assert len(shipped) >= 20
    assert all(rule.title and rule.tests.match and rule.tests.no_match for rule in shipped)


@pytest.mark.slow
@pytest.mark.parametrize("rule", load(), ids=lambda rule: rule.id)
def test_shipped_cases_hold(rule) -> None:
    assert check([rule]) == []


def test_a_case_that_does_not_hold_is_named(tmp_path: Path) -> None:
    (failed,) = check(decode(RULE.replace("_times: 3", "_times: 2"), "test"))
    assert (failed.rule, failed.kind, failed.number) == ("disk-full", "match", 1)


def test_the_rule_in_the_documents_holds() -> None:
    page = (Path(__file__).resolve().parents[2] / "docs" / "rules.md").read_text()
    found = decode(re.findall(r"^```yaml\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)[0], "docs/rules.md")
    assert check(found) == []


def test_groups_reach_the_threshold_by_themselves(field: Field) -> None:
    assert field.take([line(1), line(2), line(3, service="b"), line(4, service="b")]) == []
    (finding,) = field.take([line(5)])
    assert (finding.rule, finding.values("service"), finding.count) == ("disk-full", ("a",), 3)
    assert {item.seq for item in finding.evidence} == {0, 1, 4}
    assert finding.evidence[0].excerpt == "disk full"


def test_windows_that_follow_each_other_are_one_finding(field: Field) -> None:
    told = [finding for minute in range(20) for finding in field.take([line(60 * minute + n) for n in range(3)])]
    (finding,) = fold(told)
    assert finding.count == 60
    later = field.take([line(7200 + n) for n in range(3)])
    assert later[0].key != finding.key


def test_nothing_is_asked_while_nothing_comes(field: Field) -> None:
    def never(*_: Any) -> list[dict[str, Any]]:
        raise AssertionError("asked")

    field.ask = never
    assert field.take([line(n, "all is well") for n in range(50)]) == []


def test_a_restart_forgets_nothing(field: Field) -> None:
    field.take([line(1), line(2)])
    heir = rules.Rules(rules.Config(), field.rules)
    heir.restore(field.detector.save())
    field.detector = heir
    (finding,) = field.take([line(3)])
    assert finding.count == 3
    assert field.take([line(4, "all is well")]) == []


def test_late_records_count_in_their_own_window(field: Field) -> None:
    field.take([line(4000, "all is well")])
    field.take([line(10), line(12)])
    (finding,) = field.take([line(11)])
    assert finding.start_ns == START_NS + 10 * 10**9


def test_fields_that_no_record_has_are_passed_over(tmp_path: Path) -> None:
    text = RULE.replace("condition: [", 'condition: ["source=logs | where attributes.none = 1", ').replace(
        "needs:", "by: [attributes.missing, serviceName]\n  needs:"
    )
    field = Field(tmp_path / "data", text)
    (finding,) = field.take([line(n) for n in range(3)])
    assert finding.values("service") == ("a",)
    field.store.close()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("threshold: 3", "threshold: many"), r"rule disk-full: .*threshold"),
        (("threshold: 3", "tresh: 3"), r"rule disk-full: .*tresh"),
        (("window: 5m", "window: soon"), r"'soon' is no window"),
        (("source=logs | where", "where"), r"do not name one stream"),
        (("like(body", "like((body"), r"not PPL"),
        (("needs: [{body: [disk full]}]", "needs: [{body: []}]"), r"needs"),
        (("title: a disk is full", "title: !!python/object/apply:os.system [id]"), r"not YAML"),
        (("- id: disk-full", "- id: Disk Full!"), r"rule Disk Full!"),
        (("window: 5m", "window: 5m\n  by: ['x; drop']"), r"no field name"),
    ],
)
def test_mistakes_are_located(change: tuple[str, str], message: str) -> None:
    assert change[0] in RULE
    with pytest.raises(UserError, match=message) as caught:
        decode(RULE.replace(*change), "mine.yaml")
    assert "mine.yaml" in str(caught.value)


def test_files_and_directories_of_ones_own(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(RULE)
    assert "disk-full" in {rule.id for rule in load([str(tmp_path)])}
    (tmp_path / "b.yaml").write_text(RULE)
    with pytest.raises(UserError, match="two rules"):
        load([str(tmp_path)])
    with pytest.raises(UserError, match="cannot read"):
        load([str(tmp_path / "none.yaml")])
    with pytest.raises(UserError, match="no rule is called"):
        rules.build(rules.Config(off=("nonesuch",)))


def test_a_back_test_counts_by_day_and_group(field: Field) -> None:
    day = 86_400
    field.take([line(n) for n in range(4)] + [line(day + n, service="b") for n in range(3)] + [line(2 * day)])
    (result,) = backtest(field.rules, field.ask, START_NS, START_NS + 4 * day * 10**9)
    assert (result.told, result.hits, result.entities) == (2, 8, {"a": 1, "b": 1})
    assert len(result.days) == 2
    assert result.evidence


def test_records_of_a_case_are_repeated_and_dated() -> None:
    found = records([{"body": "x", "_times": 3}, {"body": "y"}])
    assert [item["body"] for item in found] == ["x", "x", "x", "y"]
    assert len({item["@timestamp"] for item in found}) == 4
    with pytest.raises(UserError, match="_times"):
        records([{"_times": 10**9}])
