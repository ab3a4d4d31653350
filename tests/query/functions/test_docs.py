"""docs/functions.md names every function, and its examples answer what it says."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from sqlglot import exp

from treering import query as ppl
from treering.core import registry
from treering.model.schema import FieldType, StreamSchema
from treering.query import aggregates, manual
from treering.stage.store import Result

PAGE = Path(__file__).resolve().parents[3] / "docs" / "functions.md"
PACKAGE = "treering.query.functions"
NOW_NS = 1_767_323_045_123_456_789
ROWS = [
    [cell.strip().replace("\\|", "|") for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
    for line in PAGE.read_text(encoding="utf8").splitlines()
    if line.startswith("| `")
]
EXAMPLES = [(row[2].strip("`"), row[3].strip("`")) for row in ROWS if len(row) == 4 and row[2]]


def test_every_function_has_one_line():
    documented = [name for row in ROWS for name in re.findall(r"`(\w+)`", row[0])]
    offered = [name for module in registry.names(PACKAGE) for name in registry.load(PACKAGE, module).FUNCTIONS]
    assert sorted(documented) == sorted([*offered, *aggregates.NAMES])


def test_the_page_says_what_help_says():
    shown = [
        (re.findall(r"`(\w+)`", names), gives, example.strip("`"), rest[0].strip("`") if rest else "")
        for names, gives, example, *rest in ROWS
    ]
    told = [(entry.names, entry.gives, entry.example, entry.answer) for entry in manual.entries()]
    assert shown == [(list(names), *rest) for names, *rest in told]


@pytest.mark.parametrize(("example", "answer"), EXAMPLES)
def test_examples_answer_what_the_page_says(engine, example, answer):
    query = ppl.compile(
        f"source=one | eval x = {example} | fields x",
        schema=lambda _: StreamSchema({"n": FieldType("n", "long")}),
        now_ns=NOW_NS,
        default_source=None,
    )
    sql = query.sql.copy()
    for table in list(sql.find_all(exp.Table)):
        if table.name in query.scans:
            one = exp.select(exp.alias_(exp.Literal.number(1), "n"), exp.alias_(exp.Literal.number(0), "_seq"))
            table.replace(exp.Subquery(this=one, alias=exp.TableAlias(this=exp.to_identifier(table.alias_or_name))))
    if query.columns[0].type == "timestamp":  # a store hands timestamps on as nanoseconds
        sql = exp.select(exp.func("epoch_ns", exp.column("x"))).from_(sql.subquery("answer"))
    rows = engine.cursor().execute(sql.sql(dialect="duckdb")).fetchall()
    assert ppl.render(Result(query.columns, rows))["datarows"] == [[json.loads(answer)]]
