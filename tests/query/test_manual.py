"""Every command and function says how it is written, and its examples run."""

from __future__ import annotations

import pytest

from treering import query as ppl
from treering.model.batch import batch
from treering.query import aggregates, manual, parser, scope
from treering.stage.store import Limits
from treering.store.duckdb import DuckdbStore

NOW = 1_700_000_000 * 10**9
COMMANDS = sorted(parser.commands())
EXAMPLES = sorted({line for each in manual.commands().values() for line in each.examples})


@pytest.fixture(scope="module")
def store() -> DuckdbStore:
    from tests.query.test_own_columns import marked

    logs = [
        {
            "@timestamp": NOW - n * 10**10, "serviceName": "ab"[n % 2], "severityText": ["INFO", "ERROR"][n % 3 == 0],
            "severityNumber": 9, "body": f"timeout after {n} ms", "durationInNanos": n * 10**6, "code": str(n % 4),
            "traceId": "4bf92f3577b34da6a3ce929d0e0e4736", "spanId": f"{n:016x}", "attributes": {"user": f"u{n % 5}"},
            "status": {"code": 0}, "payload": '{"user": {"id": "u1"}}',
        }
        for n in range(60)
    ]  # fmt: skip
    services = [{"name": "a", "team": "one", "calls": "b"}, {"name": "gateway", "team": "two", "calls": "a"}]
    found = DuckdbStore()
    spans = [{"@timestamp": NOW, "name": "step", "traceId": logs[0]["traceId"], "spanId": logs[0]["spanId"]}]
    found.append([marked(logs), batch("spans", spans, received_ns=NOW), batch("services", services, received_ns=NOW)])
    return found


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_describes_itself(name: str) -> None:
    told = manual.commands()[name]
    assert told.summary.endswith(".")
    assert told.syntax
    assert told.examples
    assert told.arguments or name == "reverse"
    written = " ".join(told.syntax)
    assert all(option in written or "<option>" in written for option in told.options)
    assert told.text().startswith(f"{name}: ")


@pytest.mark.parametrize("text", EXAMPLES)
def test_every_example_runs_and_survives_printing(store, text: str) -> None:
    tree = ppl.parse(text)
    assert ppl.parse(ppl.print(tree)) == tree
    if " kmeans" in text or "| ml " in text or "| ad " in text:
        pytest.importorskip("sklearn", reason="needs the extra ml")
    compiled = ppl.compile(text, schema=store.schema, now_ns=NOW, default_source=None)
    ppl.render(store.run(compiled, Limits()))


def test_every_example_has_its_command() -> None:
    for name, told in manual.commands().items():
        module_names = [other for other, same in manual.commands().items() if same.syntax == told.syntax]
        assert any(other in line.lower() for other in module_names for line in told.examples), name


def test_every_function_describes_itself() -> None:
    assert set(manual.calls()) == {*scope.functions(), *aggregates.NAMES}
    assert all(each.summary and each.syntax for each in manual.calls().values())


@pytest.mark.parametrize("name", sorted(aggregates.NAMES))
def test_every_aggregate_s_example_runs(store, name: str) -> None:
    (example,) = manual.calls()[name].examples
    command = "timechart span=1h" if name.startswith("per_") else "stats"
    text = f"source=logs | {command} {example}"
    ppl.render(store.run(ppl.compile(text, schema=store.schema, now_ns=NOW, default_source=None), Limits()))


def test_help_is_found_by_any_name() -> None:
    assert manual.of("STATS") is not None
    assert manual.of("table") is not None
    assert manual.of("round").answer == "0.29"
    assert manual.of("nosuch") is None
