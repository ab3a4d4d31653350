"""By what shipped rules group: fields that hold one kind of thing in all lines, whatever odd lines come beside them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.detect.feeding import fold
from treering.app.asking import asker
from treering.app.config import Settings
from treering.app.pipeline import open_store
from treering.app.rulebook import records
from treering.detect import rules
from treering.detect._rule_files import Rule, load
from treering.model.batch import batch
from treering.model.rows import Rows
from treering.parse.reader import Reader
from treering.parse.vector_access import enrich

if TYPE_CHECKING:
    from pathlib import Path

    from treering.model.batch import Batch
    from treering.model.finding import Finding


def grouped(rule: Rule) -> list[str]:
    named = (*rule.by, *filter(None, [rule.distinct]))
    return [field for field in named if field != "serviceName" and field not in rule.computed]


def each_grouping() -> list[Rule]:
    """Return one rule for each list of fields that rules group by."""
    return list({tuple(grouped(rule)): rule for rule in load() if rule.tests and grouped(rule)}.values())


def told(folder: Path, rule: Rule, given: Batch) -> list[Finding]:
    store = open_store(Settings(data=str(folder)))
    try:
        watched = rules.Rules(rules.Config(), [rule])
        watched.observe(Rows(given, store.append([given])))
        now_ns = int(Rows(given).times.max()) + 10**9 + rule.window_ns
        return fold(watched.tick(now_ns, asker(store, lambda: now_ns)))
    finally:
        store.close()


def odd(field: str, value: Any) -> dict[str, Any]:
    """Return a line in which `field` holds `value`, as a sender writes it."""
    for head in ("resource.attributes.", "attributes."):
        if field.startswith(head):
            value, field = {field.removeprefix(head): value}, head[:-1]
    first, _, last = field.partition(".")
    return {first: {last: value} if last else value, "serviceName": "other", "body": "x"}


def test_no_rule_groups_by_what_holds_the_field_of_another() -> None:
    """As `attributes.user` would, a name in some lines and in others the object that has `attributes.user.id`."""
    shipped = load()
    names = {field for rule in shipped for field in grouped(rule)}
    asked = {word for rule in shipped for part in rule.parts for text in part.condition for word in text.split()}
    inside = {name for name in names for other in names | asked if other.startswith(f"{name}.")}
    assert inside == set()


@pytest.mark.slow
@pytest.mark.parametrize("rule", each_grouping(), ids=lambda rule: rule.id)
def test_lines_that_hold_an_object_there_change_nothing(tmp_path: Path, rule: Rule) -> None:
    case = records(rule.tests.match[0]) if rule.tests else []
    beside = [odd(field, {"name": "z", "n": 1}) for field in grouped(rule)]
    parents = {field.rpartition(".")[0] for field in grouped(rule)} - {"", "attributes", "resource.attributes"}
    beside += [odd(parent, "a text") for parent in sorted(parents)]
    lines = [{"@timestamp": case[0]["@timestamp"] + 1, **one} for one in beside]
    assert told(tmp_path, rule, batch(rule.stream, [*lines, *case], received_ns=0))


def test_a_refusal_and_the_line_that_explains_it_count_once(shared: Path, tmp_path: Path) -> None:
    text = (shared / "data" / "vector_access" / "weaviate.jsonl").read_bytes()
    reader = Reader({"serviceName": "weaviate"}, now_ns=1_795_500_000_000_000_000)
    lines = reader.feed(text).records + reader.end().records
    (rule,) = [rule for rule in load() if rule.id == "vector-refusals"]
    refused = [line["attributes"]["user"] for line in lines if line.get("body") == "authorization denied"]
    (finding,) = told(tmp_path, rule, enrich(batch("logs", lines, received_ns=0)))
    assert finding.values("user") == ("support-bot",)
    assert finding.count == refused.count("support-bot")
