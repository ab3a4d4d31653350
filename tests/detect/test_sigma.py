"""Sigma: every modifier and correlation means what the specification says, and nothing in a rule is run or followed."""

from __future__ import annotations

import fnmatch
import json
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.detect.feeding import START_NS, fold
from tests.detect.sigma_cases import CASES, Case
from treering.app.asking import asker
from treering.app.config import Settings
from treering.app.pipeline import open_store
from treering.core.errors import UserError
from treering.detect import _sigma, rules
from treering.detect._rule_files import Rule, decode
from treering.detect._rule_watch import Watch
from treering.model.batch import batch
from treering.model.finding import Finding
from treering.model.rows import Rows
from treering.stage.detector import Ask

SECOND = 10**9


def sigma(detection: dict[str, Any], **more: Any) -> str:
    """Return a Sigma rule as a file holds it."""
    rule = {
        "title": "a rule",
        "id": "11111111-2222-4333-8444-555555555555",
        "logsource": {"product": "anything"},
        "detection": detection,
        "level": "high",
        **more,
    }
    return yaml.safe_dump(rule, allow_unicode=True)


def only(text: str, **values: list[str]) -> Rule:
    """Return the one rule that a file of Sigma means."""
    made = _sigma.convert({"mine.yml": text}, values)
    assert made.refused == []
    (rule,) = made.rules
    return rule


def refusal(text: str, **values: list[str]) -> str:
    """Return why a file of Sigma is refused."""
    made = _sigma.convert({"mine.yml": text}, values)
    assert made.rules == []
    (refused,) = made.refused
    assert refused.where == "mine.yml"
    return refused.reason


class Field:
    """A store with records a second apart, and the detector over it."""

    def __init__(self, folder: Path) -> None:
        self.store = open_store(Settings(data=str(folder)))
        self.count = 0
        self.ask: Ask = asker(self.store, lambda: START_NS + (self.count + 10) * SECOND)

    def put(self, records: Sequence[dict[str, Any]], stream: str = "logs") -> Rows:
        dated = [{"@timestamp": START_NS + (self.count + n) * SECOND, **record} for n, record in enumerate(records)]
        self.count += len(records)
        made = batch(stream, dated, received_ns=START_NS)
        return Rows(made, self.store.append([made]))

    def matching(self, rule: Rule) -> set[int]:
        """Return the numbers of the records that the condition keeps."""
        (condition,) = rule.condition
        return {(row["@timestamp"] - START_NS) // SECOND for row in self.ask(condition)}

    def told(self, found: list[Rule], records: Sequence[dict[str, Any]], stream: str = "logs") -> list[Finding]:
        detector = rules.Rules(rules.Config(), found)
        rows = self.put(records, stream)
        detector.observe(rows)
        return fold(detector.tick(int(rows.times.max()) + 10_000 * SECOND, self.ask))


@pytest.fixture
def field(tmp_path: Path) -> Iterator[Field]:
    made = Field(tmp_path / "data")
    yield made
    made.store.close()


@pytest.fixture(scope="module")
def all_cases(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Field, dict[str, tuple[int, Rows]]]]:
    field = Field(tmp_path_factory.mktemp("sigma"))
    places: dict[str, tuple[int, Rows]] = {}
    for case in CASES:
        first = field.count
        places[case.name] = first, field.put([*case.match, *case.no_match])
    yield field, places
    field.store.close()


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_modifiers_mean_what_the_specification_says(case: Case, all_cases: Any) -> None:
    field, places = all_cases
    first, rows = places[case.name]
    rule = only(sigma(case.detection))
    own = {number - first for number in field.matching(rule) if first <= number < first + rows.count}
    assert own == set(range(len(case.match)))
    looked_at = {place for found in Watch([rule]).found(rows) for place in found.places}
    assert own <= looked_at, rule.needs


def test_what_people_wrote_is_kept() -> None:
    made = only(
        sigma(
            {"s": {"a": "x"}, "condition": "s"},
            description="about it",
            falsepositives=["tests"],
            tags=["attack.t1059.001", "attack.execution", "atlas.aml.t0051"],
            references=["https://example.org/a"],
            author="Ann",
        )
    )
    assert made.id == "a-rule-11111111"
    assert (made.severity, made.description, made.false_positives, made.author) == ("high", "about it", "tests", "Ann")
    assert made.techniques == ("mitre-attack@18:T1059.001", "mitre-atlas@2026.09:AML.T0051")
    assert made.origin == "sigma:11111111-2222-4333-8444-555555555555"


def test_placeholders_are_filled_with_texts_as_they_are(field: Field) -> None:
    text = sigma({"s": {"a|expand": "%admins%", "b|contains|expand": "<%hosts%>"}, "condition": "s"})
    assert "%admins% has no values" in refusal(text)
    rule = only(text, admins=["ann", "b*b"], hosts=["gpu"])
    field.put([{"a": "ann", "b": "x <gpu> y"}, {"a": "b*b", "b": "<gpu>"}, {"a": "bob", "b": "<gpu>"}, {"a": "ann"}])
    assert field.matching(rule) == {0, 1}


@pytest.mark.parametrize(
    ("logsource", "detection", "stream", "record"),
    [
        (
            {"product": "opentelemetry", "category": "span"},
            {"service.name": "rag", "gen_ai.request.model|startswith": "gpt"},
            "spans",
            {"serviceName": "rag", "attributes": {"gen_ai.request.model": "GPT-5"}},
        ),
        (
            {"product": "opentelemetry", "service": "vllm"},
            {"body|contains": "preempt", "severity": "WARN"},
            "logs",
            {"body": "sequence preempted", "severityText": "WARN"},
        ),
        (
            {"product": "aws", "service": "cloudtrail"},
            {"eventSource": "bedrock.amazonaws.com", "userIdentity.type": "Root"},
            "logs",
            {"attributes": {"eventSource": "bedrock.amazonaws.com", "userIdentity": {"type": "Root"}}},
        ),
        (
            {"product": "kubernetes", "service": "audit"},
            {"verb": "create", "resource": "pods", "namespace": "models"},
            "logs",
            {"attributes": {"verb": "create", "objectRef": {"resource": "pods", "namespace": "models"}}},
        ),
        (
            {"product": "linux", "service": "auditd"},
            {"type": "EXECVE", "a0": "nc"},
            "logs",
            {"attributes": {"type": "EXECVE", "a0": "nc"}},
        ),
        (
            {"product": "linux", "category": "process_creation"},
            {"Image|endswith": "/ollama", "CommandLine|contains": "serve"},
            "logs",
            {"attributes": {"process.executable.path": "/usr/bin/ollama", "process.command_line": "ollama serve"}},
        ),
        (
            {"category": "webserver"},
            {"cs-method": "POST", "cs-uri-stem|startswith": "/api/pull", "sc-status": 200},
            "logs",
            {"attributes": {"http.request.method": "POST", "url.path": "/api/pull", "http.response.status_code": 200}},
        ),
        (
            {"category": "vector_database", "product": "weaviate"},
            {"result": "denied", "principal": "bot"},
            "logs",
            {"attributes": {"treering.access.result": "denied", "user": "bot"}},
        ),
        (
            {"product": "windows", "category": "process_creation"},
            {"Image|endswith": "\\whoami.exe"},
            "logs",
            {"Event": {"EventData": {"Image": "C:\\Windows\\whoami.exe"}}},
        ),
    ],
    ids=lambda value: value.get("product") or value.get("category") if isinstance(value, dict) else None,
)
def test_fields_are_found_where_each_log_source_has_them(
    logsource: dict[str, str], detection: dict[str, Any], stream: str, record: dict[str, Any], field: Field
) -> None:
    rule = only(sigma({"s": detection, "condition": "s"}, logsource=logsource))
    assert rule.stream == stream
    (finding,) = field.told([rule], [record], stream)
    assert finding.rule == rule.id


# Correlations

BASE = """
title: denied
name: denied
logsource: {{product: opentelemetry}}
detection: {{s: {{result: denied}}, condition: s}}
---
title: allowed
name: allowed
logsource: {{product: opentelemetry}}
detection: {{s: {{result: allowed}}, condition: s}}
---
title: together
id: aaaaaaaa-2222-4333-8444-555555555555
correlation:
{correlation}
level: high
"""


def correlation(**items: Any) -> str:
    text = yaml.safe_dump(items)
    return BASE.format(correlation="".join(f"    {line}\n" for line in text.splitlines()))


def did(result: str, user: str = "ann", at: float = 0, **more: Any) -> dict[str, Any]:
    return {"@timestamp": START_NS + int(at * SECOND), "attributes": {"result": result, "user": user, **more}}


def users(findings: list[Finding]) -> set[str]:
    return {value for finding in findings for value in finding.values("user")}


def test_event_count(field: Field) -> None:
    rule = together(
        correlation(type="event_count", rules=["denied"], **{"group-by": ["user"]}, timespan="5m", condition={"gte": 3})
    )
    records = [did("denied", "ann", n) for n in range(3)] + [did("denied", "bob", n) for n in range(2)]
    (finding,) = field.told([rule], [*records, did("allowed", "bob", 3)])
    assert finding.values("user") == ("ann",)
    assert [item.seq for item in finding.evidence] == [0, 1, 2]


def test_a_burst_that_two_windows_share_is_seen(field: Field) -> None:
    rule = together(
        correlation(type="event_count", rules=["denied"], **{"group-by": ["user"]}, timespan="5m", condition={"gt": 5})
    )
    border = 300 - (START_NS // SECOND) % 300
    near = [did("denied", "ann", border + n) for n in (-3, -2, -1, 1, 2, 3)]
    far = [did("denied", "bob", border + n * 100) for n in (-3, -2, -1, 1, 2, 3)]
    assert users(field.told([rule], near + far)) == {"ann"}


@pytest.mark.parametrize(
    ("condition", "counts"),
    [({"eq": 2}, {"b"}), ({"lte": 2}, {"a", "b"}), ({"lt": 2}, {"a"}), ({"gt": 2}, {"c"}), ({"gte": 2}, {"b", "c"})],
)
def test_comparisons_of_counts(condition: dict[str, int], counts: set[str], field: Field) -> None:
    rule = together(
        correlation(type="event_count", rules=["denied"], **{"group-by": ["user"]}, timespan="1h", condition=condition)
    )
    records = [did("denied", user, n) for user, times in (("a", 1), ("b", 2), ("c", 3)) for n in range(times)]
    assert users(field.told([rule], records)) == counts


def test_value_count(field: Field) -> None:
    rule = together(
        correlation(
            type="value_count",
            rules=["denied"],
            **{"group-by": ["user"]},
            timespan="5m",
            condition={"field": "collection", "gte": 3},
        )
    )
    records = [did("denied", "ann", n, collection=f"c{n}") for n in range(3)]
    records += [did("denied", "bob", n, collection=f"c{n % 2}") for n in range(9)]
    assert users(field.told([rule], records)) == {"ann"}


@pytest.mark.parametrize(("kind", "who"), [("temporal_ordered", {"ann"}), ("temporal", {"ann", "bob"})])
def test_steps(kind: str, who: set[str], field: Field) -> None:
    rule = together(correlation(type=kind, rules=["denied", "allowed"], **{"group-by": ["user"]}, timespan="10m"))
    assert rule.ordered is (kind == "temporal_ordered")
    records = [did("denied", "ann", 0), did("allowed", "ann", 300)]
    records += [did("allowed", "bob", 0), did("denied", "bob", 300)]
    records += [did("denied", "cat", 0), did("allowed", "cat", 601)]
    records += [did("denied", "dan", 0), did("allowed", "eve", 1)]
    records += [{"@timestamp": START_NS, "attributes": {"result": result}} for result in ("denied", "allowed")]
    assert users(field.told([rule], records)) == who


def test_aliases(field: Field) -> None:
    rule = together(
        correlation(
            type="temporal_ordered",
            rules=["denied", "allowed"],
            aliases={"who": {"denied": "user", "allowed": "principal"}},
            **{"group-by": ["who"]},
            timespan="10m",
        )
    )
    records = [
        did("denied", "ann", 0),
        did("allowed", "x", 5, principal="ann"),
        did("allowed", "ann", 5, principal="y"),
    ]
    (finding,) = field.told([rule], records)
    assert finding.values("who") == ("ann",)


def test_rules_of_a_correlation_are_told_only_where_it_says_so() -> None:
    text = correlation(type="event_count", rules=["denied"], timespan="5m", condition={"gte": 3})
    assert {rule.title for rule in _sigma.convert({"a": text}).rules} == {"allowed", "together"}
    text = correlation(type="event_count", rules=["denied"], timespan="5m", condition={"gte": 3}, generate=True)
    assert {rule.title for rule in _sigma.convert({"a": text}).rules} == {"denied", "allowed", "together"}


def test_correlations_name_rules_of_other_files(field: Field) -> None:
    first, second, last = correlation(type="event_count", rules=["denied"], timespan="5m", condition={"gte": 2}).split(
        "---"
    )
    made = _sigma.convert({"z": last, "a": first, "b": second})
    assert made.refused == []
    assert len(field.told(made.rules, [did("denied", "ann", n) for n in range(2)])) == 1


def test_filters_are_applied(field: Field) -> None:
    text = (
        BASE.format(correlation="").split("---")[0]
        + """
---
title: not ann
logsource: {product: opentelemetry}
filter: {rules: [denied], selection: {user: ann}, condition: not selection}
"""
    )
    (rule,) = _sigma.convert({"a": text}).rules
    field.put([did("denied", "ann"), did("denied", "bob", 1)])
    assert field.matching(rule) == {1}


@pytest.mark.parametrize(
    ("items", "reason"),
    [
        ({"type": "event_count", "rules": ["nobody"], "timespan": "5m", "condition": {"gte": 1}}, "nobody"),
        ({"type": "event_count", "rules": ["denied"], "timespan": "5m", "condition": {"lt": 1}}, "absence"),
        ({"type": "event_count", "rules": ["denied"], "timespan": "1y", "condition": {"gte": 1}}, "timespan"),
        (
            {"type": "value_sum", "rules": ["denied"], "timespan": "1m", "condition": {"field": "n", "gte": 1}},
            "value_sum",
        ),
        ({"type": "temporal", "rules": ["denied"], "timespan": "1m"}, "2 to 8"),
    ],
)
def test_correlations_that_cannot_be_asked_are_refused(items: dict[str, Any], reason: str) -> None:
    (refused,) = _sigma.convert({"a": correlation(**items)}).refused
    assert refused.title == "together"
    assert reason in refused.reason


def together(text: str) -> Rule:
    made = _sigma.convert({"a": text})
    assert made.refused == []
    return next(rule for rule in made.rules if rule.title == "together")


# What is refused

GOOD = sigma({"s": {"a": "x"}, "condition": "s"})


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (GOOD.replace("a rule", "!!python/object/apply:os.system [id]"), "not YAML"),
        (GOOD.replace("a rule", "!include /etc/passwd"), "not YAML"),
        (GOOD + "include: other.yml\n", "'include' would"),
        (GOOD + "transformations: [{type: http_query}]\n", "'transformations' would"),
        ("just a text", "no Sigma document"),
        ("title: x\n", "no Sigma document"),
        (GOOD.replace("condition: s", "condition: nobody"), "nobody"),
        (GOOD.replace("condition: s", "condition: s | count() > 5"), "pipe|deprecated"),
        (sigma({"s": {"a|re": "(unclosed"}, "condition": "s"}), "unclosed|regular expression|Regular"),
        (sigma({"s": {"a|cidr": "10.0.0.0/99"}, "condition": "s"}), "10.0.0.0/99"),
        (sigma({"s": {"a|gt": "many"}, "condition": "s"}), "GreaterThan"),
        (sigma({"s": {"a|nonesuch": "x"}, "condition": "s"}), "nonesuch"),
        (sigma({"s": {"a": "x"}, "condition": "not " * 3000 + "s"}), "recursion|deep"),
        (sigma({"s": {"a|re": "model(?!-safe)"}, "condition": "s"}), "perl operator"),
        (GOOD.replace("logsource", "logsauce"), "log source"),
        ("a: &a [x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\n" + "c: [*b]\n" + GOOD + "\x00", "not YAML"),
    ],
)
def test_what_is_no_rule_is_refused_with_its_reason(text: str, reason: str) -> None:
    found = refusal(text)
    assert any(part in found for part in reason.split("|")), found


def test_an_alias_bomb_is_refused() -> None:
    levels = "".join(f"x{n}: &x{n} [{', '.join([f'*x{n - 1}'] * 9)}]\n" for n in range(1, 12))
    text = f"x0: &x0 [a, a]\n{levels}" + GOOD.replace("a: x", "a: *x11")
    assert refusal(text)


def test_one_wrong_document_does_not_hinder_the_others() -> None:
    made = _sigma.convert({"good.yml": GOOD, "bad.yml": "detection: [", "worse.yml": "{}"})
    assert [rule.title for rule in made.rules] == ["a rule"]
    assert {refused.where for refused in made.refused} == {"bad.yml", "worse.yml"}
    assert made.documents == 3


def test_the_error_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "treering.detect._sigma_collection", raising=False)
    monkeypatch.setitem(sys.modules, "sigma", None)
    monkeypatch.setitem(sys.modules, "sigma.collection", None)
    import treering.detect as package

    monkeypatch.delattr(package, "_sigma_collection", raising=False)
    with pytest.raises(UserError, match="pySigma") as caught:
        _sigma.convert({"a": GOOD})
    assert "treering[sigma]" in str(caught.value)


# Against an evaluator that is as simple as the specification

NAMES = ("a", "b", "c")
WORDS = st.sampled_from(["", "x", "xy", "Xyz", "y*", "*y*", "?", "%", "_", "x\\", "it's", "é", "1", "a b", "x\\*"])
VALUES = st.one_of(WORDS, st.integers(-2, 12), st.none())
ITEMS = st.tuples(
    st.sampled_from(NAMES),
    st.sampled_from(["", "|contains", "|startswith", "|endswith", "|contains|all", "|cased"]),
    st.lists(WORDS.filter(bool), min_size=1, max_size=3),
) | st.tuples(st.sampled_from(NAMES), st.just(""), st.lists(VALUES, min_size=1, max_size=2))
MAPS = st.lists(ITEMS, min_size=1, max_size=3).map(
    lambda items: {f"{name}{how}": values for name, how, values in items}
)
SELECTIONS = MAPS | st.lists(MAPS, min_size=1, max_size=2)
CONDITIONS = st.recursive(
    st.sampled_from(["s1", "s2", "s3", "1 of s*", "all of them", "all of s*"]),
    lambda inner: st.one_of(
        inner.map(lambda text: f"not ({text})"),
        st.tuples(inner, st.sampled_from(["and", "or"]), inner).map(
            lambda three: f"({three[0]}) {three[1]} ({three[2]})"
        ),
    ),
    max_leaves=5,
)
PLAIN = ["", "x", "xy", "XYZ", "axyb", "y", "y*", "%", "_", "x\\", "it's it's", "É", "1", 1, 12, "a b c", None, "x*"]


def records() -> list[dict[str, Any]]:
    found = [{"a": PLAIN[n % 18], "b": PLAIN[(n * 7 + 3) % 18], "c": PLAIN[(n * 5 + 1) % 18]} for n in range(54)]
    return [{name: value for name, value in record.items() if value is not None} for record in found]


@pytest.fixture(scope="module")
def few(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Field, Rows]]:
    field = Field(tmp_path_factory.mktemp("naive"))
    # A field has texts and numbers in different batches, as it happens.
    rows = field.put(records())
    yield field, rows
    field.store.close()


def item_holds(record: dict[str, Any], key: str, values: list[Any]) -> bool:
    name, *how = key.split("|")
    tests = [value_holds(record.get(name), value, how) for value in values]
    return all(tests) if "all" in how else any(tests)


def value_holds(found: Any, wanted: Any, how: list[str]) -> bool:
    if wanted is None:
        return found is None
    if found is None:
        return False
    if isinstance(wanted, int):
        return str(found) == str(wanted)
    before, after = ("contains" in how or "endswith" in how), ("contains" in how or "startswith" in how)
    text = str(found)
    pattern = glob(wanted if "cased" in how else wanted.casefold())
    return fnmatch.fnmatchcase(text if "cased" in how else text.casefold(), "*" * before + pattern + "*" * after)


def glob(pattern: str) -> str:
    """Return a Sigma text, in which a backslash takes a wildcard's meaning away, as a pattern of `fnmatch`."""
    made, at = "", 0
    while at < len(pattern):
        char = pattern[at]
        if char == "\\" and at + 1 < len(pattern) and pattern[at + 1] in "*?\\":
            made += f"[{pattern[at + 1]}]"
            at += 2
            continue
        made += "[[]" if char == "[" else char
        at += 1
    return made


def selection_holds(record: dict[str, Any], selection: Any) -> bool:
    maps = selection if isinstance(selection, list) else [selection]
    return any(all(item_holds(record, key, values) for key, values in item.items()) for item in maps)


def condition_holds(text: str, truth: dict[str, bool]) -> bool:
    plain = text.replace("all of them", "s1 and s2 and s3").replace("all of s*", "(s1 and s2 and s3)")
    plain = plain.replace("1 of s*", "(s1 or s2 or s3)")
    return bool(eval(plain, {"__builtins__": {}}, truth))  # noqa: S307  words of the strategy above


@given(st.tuples(SELECTIONS, SELECTIONS, SELECTIONS), CONDITIONS)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_conditions_are_those_of_a_naive_evaluator(
    few: tuple[Field, Rows], selections: tuple[Any, Any, Any], condition: str
) -> None:
    field, rows = few
    names = ("s1", "s2", "s3")
    detection = {
        **dict(zip(names, selections, strict=True)),
        "condition": condition.replace("all of them", "(all of them)"),
    }
    rule = only(sigma(detection))
    wanted = set()
    for number, record in enumerate(records()):
        truth = {name: selection_holds(record, part) for name, part in zip(names, selections, strict=True)}
        if condition_holds(condition.replace("all of them", "(s1 and s2 and s3)"), truth):
            wanted.add(number)
    assert field.matching(rule) == wanted
    looked_at = {place for found in Watch([rule]).found(rows) for place in found.places}
    assert wanted <= looked_at
    written = yaml.safe_dump(
        [{"id": "again", "title": "t", "origin": "x", "condition": rule.condition, "needs": rule.needs}]
    )
    assert decode(written, "again")[0].condition == rule.condition


@given(st.text(max_size=300) | st.binary(max_size=300).map(lambda raw: raw.decode("latin-1")))
@settings(max_examples=80, deadline=None)
def test_any_text_is_read_or_refused(text: str) -> None:
    made = _sigma.convert({"a": text, "good": GOOD})
    assert [rule.title for rule in made.rules][-1:] == ["a rule"]


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=12), inner, max_size=3),
        max_leaves=12,
    )
)
@settings(max_examples=80, deadline=None)
def test_any_detection_is_read_or_refused(detection: Any) -> None:
    made = _sigma.convert({"a": sigma({"s": detection, "condition": "s"})})
    assert len(made.rules) + len(made.refused) == 1


# SigmaHQ's own rules and events, where their repository is checked out

SIGMAHQ = os.environ.get("TREERING_SIGMAHQ", "")
elsewhere = pytest.mark.skipif(not SIGMAHQ, reason="TREERING_SIGMAHQ names no checkout of SigmaHQ/sigma")


@pytest.fixture(scope="module")
def sigmahq() -> _sigma.Imported:
    root = Path(SIGMAHQ)
    files = [path for folder in sorted(root.glob("rules*")) for path in sorted(folder.rglob("*.yml"))]
    return _sigma.convert({str(path.relative_to(root)): path.read_text("utf-8") for path in files})


@elsewhere
def test_rules_of_sigmahq_load(sigmahq: _sigma.Imported) -> None:
    for refused in sigmahq.refused:
        print(refused.where, refused.reason)
    assert len(sigmahq.rules) >= 0.99 * sigmahq.documents
    assert all("placeholder" in refused.reason for refused in sigmahq.refused)


@elsewhere
def test_events_of_sigmahq_match(sigmahq: _sigma.Imported, field: Field) -> None:
    """As the repository's own runner has it: at least `match_count` events, at least one where that is not said."""
    known = {rule.origin.partition(":")[2]: rule for rule in sigmahq.rules}
    asked: list[tuple[Rule, int, int, Rows]] = []
    for info in sorted(Path(SIGMAHQ).glob("regression_data/**/info.yml")):
        said = yaml.safe_load(info.read_text("utf-8"))
        for test in said.get("regression_tests_info") or ():
            events = (Path(SIGMAHQ) / test["path"]).with_suffix(".json")
            rows = field.put(list(map(without_nulls, documents(events.read_text("utf-8")))))
            asked.append((known[said["rule_metadata"][0]["id"]], field.count, test.get("match_count") or 1, rows))
    assert len(asked) >= 100
    few = []
    for rule, end, least, rows in asked:
        bounds = START_NS + (end - rows.count) * SECOND, START_NS + end * SECOND
        looked_at = {place for found in Watch([rule]).found(rows) for place in found.places}
        if min(len(field.ask(rule.condition[0], *bounds)), len(looked_at)) < least:
            few.append(rule.title)
    assert few == []


def documents(text: str) -> Iterator[dict[str, Any]]:
    at, decoder = 0, json.JSONDecoder()
    while at < len(text.rstrip()):
        found, at = decoder.raw_decode(text, at + len(text[at:]) - len(text[at:].lstrip()))
        yield found


def without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: without_nulls(part) for name, part in value.items() if part is not None}
    return value
