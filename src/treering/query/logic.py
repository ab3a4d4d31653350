"""Conditions put together: all of them, any or some of them, and null taken for false."""

from __future__ import annotations

import functools
import re

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
    """Return that so many of the tests hold."""
    counts = [coerce.sql_cast(known(test), Type.INT) for test in tests]
    total = functools.reduce(lambda a, b: exp.Add(this=a, expression=b), counts)
    return exp.GTE(this=exp.Paren(this=total), expression=exp.Literal.number(least))


def least_of(text: str, count: int) -> int:
    """Return how many of `count` optional clauses must match by a `minimum_should_match` such as `2`, `-1`, `75%`.

    Conditional forms (`2<-25% 9<-3`) take the last part whose number is below `count`.
    """
    if "<" in text:
        chosen = str(count)
        for part in text.split():
            above, _, rest = part.partition("<")
            if above.isdecimal() and count > int(above):
                chosen = rest
        text = chosen
    found = re.fullmatch(r"(-?\d+)(%?)", text.strip())
    if found is None:
        return 1
    number = int(found[1])
    if found[2]:
        share = int(count * abs(number) / 100)
        number = share if number >= 0 else count - share
    elif number < 0:
        number = count + number
    return max(1, min(number, count)) if text.strip() != "0" else 1
