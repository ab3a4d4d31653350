"""Tests put together: one of them, all of them, so many of them; NULL counts as not."""

from __future__ import annotations

import functools

from sqlglot import exp

from treering.query import coerce
from treering.query.types import Type


def known(test: exp.Expression) -> exp.Expression:
    """Return the test with NULL counting as not."""
    return exp.Coalesce(this=test, expressions=[exp.false()])


def any_of(tests: list[exp.Expression]) -> exp.Expression:
    """Return that one of the tests holds; none of none does."""
    tests = [test for test in tests if not (isinstance(test, exp.Boolean) and not test.this)]
    if not tests:
        return exp.false()
    return exp.Paren(this=functools.reduce(lambda a, b: exp.Or(this=a, expression=b), tests))


def all_of(tests: list[exp.Expression]) -> exp.Expression:
    """Return that all tests hold."""
    tests = [test for test in tests if not (isinstance(test, exp.Boolean) and test.this)]
    if not tests:
        return exp.true()
    return exp.Paren(this=functools.reduce(lambda a, b: exp.And(this=a, expression=b), tests))


def at_least(tests: list[exp.Expression], least: int) -> exp.Expression:
    """Return that `least` of the tests hold."""
    counts = [coerce.sql_cast(known(test), Type.INT) for test in tests]
    total = functools.reduce(lambda a, b: exp.Add(this=a, expression=b), counts)
    return exp.GTE(this=exp.Paren(this=total), expression=exp.Literal.number(least))
