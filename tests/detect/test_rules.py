"""Rules: files are refused with their place, shipped cases hold, episodes are told once, restarts forget nothing."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.detect.feeding import START_NS, fold
from treering.app.asking import asker
from treering.app.config import Settings
from treering.app.pipeline import open_store
from treering.app.rulebook import backtest, check, records
from treering.core.errors import UserError
from treering.detect import rules
from treering.detect._rule_files import SHIPPED, decode, digest, load, verified
from treering.detect._rule_sequences import chains
from treering.detect._rule_watch import Watch
from treering.model.batch import batch
from treering.model.finding import Finding
from treering.model.rows import Rows

CONTENT = Path(rules.__file__).parents[1] / "content"
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


def test_there_are_ninety_and_each_says_what_it_is() -> None:
    shipped = load()
    assert len(shipped) >= 90
    for rule in shipped:
        assert rule.tests is not None, rule.id
        assert rule.title, rule.id
        assert rule.false_positives, rule.id
        assert rule.response, rule.id


def test_shipped_rules_are_ppl_and_name_techniques_there_are() -> None:
    atlas = json.loads((CONTENT / "taxonomies" / "atlas_tactics.json").read_text())
    owasp = json.loads((CONTENT / "taxonomies" / "owasp.json").read_text())
    known = {f"mitre-atlas@2026.09:{name}" for name in (*atlas["techniques"], "AML.T0012")}
    known |= {f"{framework}:{name}" for framework, names in owasp.items() if "@" in framework for name in names}
    for rule in load():
        assert verified(rule, rule.id) is rule
        wrong = {name for name in rule.techniques if name not in known and not name.startswith("mitre-attack@18:T")}
        assert not wrong, rule.id


def test_every_file_of_rules_is_shipped() -> None:
    others = {"prompts.yaml", "orders.yaml", "concepts.yaml"}
    assert {path.name for path in (CONTENT / "rules").glob("*.yaml")} - others == set(SHIPPED)


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


STEPS = """
- id: refused-then-read
  title: somebody is refused and then reads
  steps:
  - {name: refused, condition: ["source=logs | where like(body, '%refused%')"], needs: [{body: [refused]}]}
  - {name: reads, condition: ["source=logs | where like(body, '%reads%')"], needs: [{body: [reads]}]}
  by: [serviceName]
  window: 5m
  tests:
    match: [[{serviceName: a, body: refused}, {serviceName: a, body: reads}]]
    no_match: [[{serviceName: a, body: reads}, {serviceName: a, body: refused}]]
"""


@pytest.fixture
def steps(tmp_path: Path) -> Iterator[Field]:
    made = Field(tmp_path / "data", STEPS)
    yield made
    made.store.close()


def test_steps_are_told_when_the_last_one_comes(steps: Field) -> None:
    assert check(steps.rules) == []
    assert steps.take([line(0, "refused"), line(1, "refused", "b")]) == []
    (finding,) = steps.take([line(200, "reads")])
    assert (finding.values("service"), finding.start_ns) == (("a",), START_NS)
    assert [item.excerpt for item in finding.evidence] == ["refused", "reads"]
    assert steps.take([line(302, "reads", "b")]) == []


def test_steps_that_come_late_are_seen(steps: Field) -> None:
    assert steps.take([line(200, "reads")]) == []
    (finding,) = steps.take([line(100, "refused")])
    assert finding.end_ns == START_NS + 200 * 10**9


def test_steps_outlive_a_restart(steps: Field) -> None:
    steps.take([line(0, "refused")])
    heir = rules.Rules(rules.Config(), steps.rules)
    heir.restore(steps.detector.save())
    steps.detector = heir
    assert len(steps.take([line(10, "reads")])) == 1


@given(
    st.lists(st.lists(st.tuples(st.integers(0, 40), st.sampled_from(["a", "b"])), max_size=8), min_size=2, max_size=3),
    st.booleans(),
)
def test_chains_are_those_that_a_search_of_all_finds(steps: list[list[tuple[int, str]]], ordered: bool) -> None:
    """A group has a chain if and only if some choice of one record per step lies within the window (in order)."""
    found = {
        group for group, _, _ in chains([[(at, (who,)) for at, who in step] for step in steps], 10, ordered=ordered)
    }
    wanted = set()
    for who in ("a", "b"):
        for choice in itertools.product(*([at for at, group in step if group == who] for step in steps)):
            if max(choice) - min(choice) <= 10 and (not ordered or list(choice) == sorted(choice)):
                wanted.add((who,))
    assert found == wanted


def test_different_values_are_counted(tmp_path: Path) -> None:
    field = Field(tmp_path / "data", RULE.replace("threshold", "distinct: attributes.disk\n  threshold"))
    same = [{**line(n), "attributes": {"disk": "sda"}} for n in range(9)]
    assert field.take(same) == []
    (finding,) = field.take([{**line(10 + n, service="b"), "attributes": {"disk": f"sd{n}"}} for n in range(3)])
    assert (finding.values("service"), finding.count) == (("b",), 3)
    field.store.close()


def test_what_may_be_at_most_is_told_when_the_window_is_over(tmp_path: Path) -> None:
    field = Field(tmp_path / "data", RULE.replace("threshold: 3", "threshold: 1\n  at_most: 2"))
    start = (300 - (START_NS // 10**9) % 300) % 300
    assert field.take([line(start), line(start + 1, service="b")]) == []
    assert field.take([line(start + n, service="b") for n in (2, 3)]) == []
    (finding,) = field.take([line(start + 400, "all is well")])
    assert finding.values("service") == ("a",)
    field.store.close()


def test_nothing_is_asked_while_too_little_came(field: Field) -> None:
    asked: list[str] = []
    honest = field.ask

    def counting(ppl: str, *bounds: Any) -> list[dict[str, Any]]:
        asked.append(ppl)
        return honest(ppl, *bounds)

    field.ask = counting
    field.take([line(1), line(2)])
    assert asked == []
    field.take([line(3)])
    assert asked


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("  by:", "  threshold: 3\n  by:"), "steps are not counted"),
        (("    match:", "    matches:"), "matches"),
        (("window: 5m", "window: 5m\n  needs: [{body: [x]}]"), "or at least two `steps`"),
    ],
)
def test_mistakes_in_steps_are_located(change: tuple[str, str], message: str) -> None:
    with pytest.raises(UserError, match=message):
        decode(STEPS.replace(*change), "mine.yaml")


def test_an_edited_import_is_read_again(tmp_path: Path) -> None:
    rule = decode(RULE, "test")[0]
    text = RULE + f"  checked: {digest(rule)}\n"
    assert decode(text, "mine")[0].id == rule.id
    with pytest.raises(UserError, match="not PPL"):
        decode(text.replace("like(body", "like((body"), "mine")


@given(st.data())
def test_a_batch_is_watched_as_every_record_alone_would_be(data: st.DataObject) -> None:
    values = st.sampled_from(["disk full", "Disk Full", "é disk", "", "x", 5, 7.5, True, None])
    records = data.draw(st.lists(st.fixed_dictionaries({"body": values, "a": values}), min_size=1, max_size=6))
    needs = data.draw(
        st.lists(
            st.dictionaries(
                st.sampled_from(["body", "a", "none"]),
                st.lists(st.sampled_from(["disk", "full", ">6", "5", "*", "é"]), min_size=1, max_size=2),
                min_size=1,
            ),
            min_size=1,
            max_size=3,
        )
    )
    any_case = data.draw(st.booleans())
    rule = msgspec.structs.replace(decode(RULE, "test")[0], needs=needs, any_case=any_case)
    bare = [{name: value for name, value in record.items() if value is not None} for record in records]
    rows = Rows(batch("logs", [{"@timestamp": START_NS, **record} for record in bare], received_ns=START_NS))
    found = {place for item in Watch([rule]).found(rows) for place in item.places}
    assert found == {n for n, record in enumerate(bare) if any(holds(record, clause, any_case) for clause in needs)}


def holds(record: dict[str, Any], clause: dict[str, list[str]], any_case: bool) -> bool:
    return all(
        name in record and any(part_holds(record[name], part, any_case) for part in parts)
        for name, parts in clause.items()
    )


def part_holds(value: Any, part: str, any_case: bool) -> bool:
    if part == "*":
        return True
    if part[0] == ">":
        try:
            return float(value) > float(part[1:])
        except ValueError:
            return False
    text = str(value)
    return (part.lower() in text.lower()) if any_case else part in text
