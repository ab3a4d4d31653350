"""Instants in SQL for the date functions: nanoseconds, days, times of day."""

from __future__ import annotations

from typing import TYPE_CHECKING

from treering.query import coerce
from treering.query.template import literal, typed
from treering.query.types import Type

if TYPE_CHECKING:
    from treering.query.function import Context, Typed

SECOND = 1_000_000_000
DAY_NS = 86_400 * SECOND
# Days from year 0 to 1970-01-01, as MySQL's to_days counts them.
DAYS_TO_EPOCH = 719_528


def stamp(value: Typed, context: Context) -> Typed:
    """Return a date, time (of today) or timestamp as a timestamp."""
    return coerce.implicit(value, Type.TIMESTAMP, context.now_ns)


def date(value: Typed, context: Context) -> Typed:
    """Return the day of a date or timestamp; of a time, today."""
    if value.type is Type.TIME:
        value = stamp(value, context)
    return typed(Type.DATE, ":x", x=value)


def time(value: Typed) -> Typed:
    """Return the time of day; of a date, midnight."""
    if value.type is Type.DATE:
        value = typed(Type.TIMESTAMP, ":x", x=value)
    return typed(Type.TIME, ":x", x=value)


def ns(value: Typed, context: Context) -> Typed:
    """Return nanoseconds since the epoch."""
    return typed(Type.BIGINT, "epoch_ns(:x)", x=stamp(value, context))


def day_ns(value: Typed) -> Typed:
    """Return nanoseconds since midnight."""
    return typed(Type.BIGINT, "epoch_ns(:x)", x=time(value))


def from_ns(nanoseconds: Typed) -> Typed:
    """Return the timestamp of nanoseconds since the epoch."""
    return typed(Type.TIMESTAMP, "make_timestamp_ns(:x)", x=nanoseconds)


def time_from_ns(nanoseconds: Typed) -> Typed:
    """Return the time of day of nanoseconds since midnight, wrapped into one day."""
    wrapped = "make_timestamp_ns(((:x % :d) + :d) % :d)"
    return typed(Type.TIME, wrapped, x=nanoseconds, d=big(DAY_NS))


def days(value: Typed, context: Context) -> Typed:
    """Return the days from the epoch to the day of a value."""
    return typed(Type.BIGINT, ":x - DATE '1970-01-01'", x=date(value, context))


def big(number: int) -> Typed:
    """Return a constant BIGINT."""
    return typed(Type.BIGINT, ":n", n=literal(number))


def now(context: Context, digits: int = 0) -> Typed:
    """Return the instant the query began, to a number of digits of a second."""
    step = 10 ** (9 - digits)
    return from_ns(big(context.now_ns // step * step))
