"""Copies of SQL nodes: the same text, nothing shared but what is kept with them, and any depth."""

from __future__ import annotations

import pytest
from sqlglot import exp, parse_one

from treering.query.copying import copied

STATEMENTS = (
    "SELECT a AS b, count(*) FILTER(WHERE x > 1) FROM t WHERE a IN (1, 2) GROUP BY a ORDER BY b DESC NULLS FIRST",
    "SELECT sum(a) OVER (PARTITION BY b ORDER BY c ROWS BETWEEN 1 PRECEDING AND CURRENT ROW) FROM (SELECT * FROM u)",
    "SELECT CAST(a AS DECIMAL(28, 9)), CASE WHEN x THEN 'y' ELSE z END, [q * 2 FOR q IN list] FROM t LIMIT 3 OFFSET 1",
)


@pytest.mark.parametrize("text", STATEMENTS)
def test_a_copy_says_the_same_and_shares_no_node(text: str) -> None:
    """Nodes of a copy stand in it and nowhere else."""
    original = parse_one(text, read="duckdb")
    made = copied(original)
    assert made.sql(dialect="duckdb") == original.copy().sql(dialect="duckdb")
    assert not {id(node) for node in made.walk()} & {id(node) for node in original.walk()}
    for node in made.walk():
        for child in node.iter_expressions():
            assert child.parent is node
            assert child in list(node.iter_expressions())


def test_what_is_known_stands_in_the_copy_as_it_is() -> None:
    """Nothing below a node that is known is asked about."""
    original = parse_one("a AND (b OR c)", read="duckdb")
    asked: list[str] = []
    instead = exp.column("d")

    def known(node: exp.Expr) -> exp.Expr | None:
        asked.append(node.sql(dialect="duckdb"))
        return instead if isinstance(node, exp.Paren) else None

    made = copied(original, known)
    assert made.sql(dialect="duckdb") == "a AND d"
    assert made.expression is instead
    assert instead.parent is made
    assert original.sql(dialect="duckdb") == "a AND (b OR c)"
    assert "b" not in asked


def test_what_is_kept_with_nodes_is_kept_with_copies() -> None:
    """Later changes of one are not seen by the other."""
    original = exp.column("a")
    original.meta["leaf"] = 1
    made = copied(original)
    made.meta["leaf"] = 2
    assert (original.meta["leaf"], made.meta["leaf"]) == (1, 2)


def test_long_chains_are_copied() -> None:
    """A condition of thousands of terms is as deep as it is long."""
    chain: exp.Expr = exp.column("x")
    for number in range(5000):
        chain = exp.Or(this=chain, expression=exp.Literal.number(number))
    assert sum(1 for _ in copied(chain).walk()) == sum(1 for _ in chain.walk())
