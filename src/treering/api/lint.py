"""What is missing, deprecated or contradictory in the telemetry of model calls, per service and instrumentation.

The checks are data (`content/semconv/lint.json`): `over` says which calls one concerns, `when` which of them are amiss
(both PPL), `least` the share from which it is told.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import msgspec

from treering.api.query import query
from treering.model import semconv

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from treering.api.service import Service

_GROUP = {
    "service": "serviceName",
    "instrumentation": "instrumentationScope.name",
    "version": "instrumentationScope.version",
    "dialect": "attributes.treering.dialect",
}
_BY = ", ".join(_GROUP.values())
_MOST_MODELS = 5


class Check(msgspec.Struct, frozen=True):
    """One thing that can be amiss."""

    name: str
    kind: str
    over: str
    when: str
    least: float
    says: str
    hint: str


class Problem(msgspec.Struct, frozen=True):
    """What is amiss with how many of the calls (or metrics) of one service and instrumentation."""

    check: str
    kind: str
    service: str | None
    instrumentation: str | None
    version: str | None
    dialect: str | None
    share: float
    count: int
    of: int
    says: str
    hint: str


@cache
def checks() -> tuple[Check, ...]:
    """Return all checks."""
    return msgspec.convert(semconv.table("lint"), tuple[Check, ...])


async def lint(service: Service, start: str | None = None, end: str | None = None) -> dict[str, Any]:
    """Return how many calls were looked at and what is amiss with them, the largest share first."""

    async def ask(text: str) -> list[dict[str, Any]]:
        found = await query(service, text, start, end)
        names = [column["name"] for column in found["schema"]]
        return [dict(zip(names, row, strict=True)) for row in found["datarows"]]

    known = await _fields(service)
    groups = await ask(_counting(known))
    problems = [problem for group in groups for problem in _of_group(group)]
    problems += [_older(group) for group in groups if str(group.get(_GROUP["dialect"])).startswith("gen_ai/")]
    if "traceId" in known:
        problems += _twice(await ask("source=llm | stats distinct_count(attributes.treering.dialect) as n by traceId"))
    if "attributes.treering.metric" in known:
        problems += _metrics(await ask(_METRICS))
    problems = await _with_models(problems, ask)
    problems.sort(key=lambda problem: (-problem.share, problem.check))
    return {"calls": sum(group["calls"] for group in groups), "problems": msgspec.to_builtins(problems)}


_METRICS = (
    "source=metrics | where isnotnull(attributes.treering.metric) | stats count() as n by serviceName, name,"
    " attributes.treering.metric"
)


async def _fields(service: Service) -> frozenset[str]:
    """Return the fields that spans, logs and metrics have by now."""
    held: set[str] = set()
    for stream in ("spans", "logs", "metrics"):
        if await service.call(service.store.streams, stream):
            schema = await service.call(service.store.schema, (stream,))
            held.update(schema.fields)
    return frozenset(held)


def _group(known: frozenset[str]) -> str:
    return ", ".join(name for name in _GROUP.values() if name in known or name.startswith(semconv.PREFIX))


def _counting(known: frozenset[str]) -> str:
    """Return the query that counts, for every check, the calls it concerns and those amiss."""
    usable = [check for check in checks() if "status.code" in known or "status.code" not in check.over + check.when]
    flags = [
        f"`{side} {check.name}` = case({condition}, 1 else 0)"
        for check in usable
        for side, condition in (("over", check.over), ("amiss", f"({check.over}) and ({check.when})"))
    ]
    sums = [f"sum(`{side} {check.name}`) as `{side} {check.name}`" for check in usable for side in ("over", "amiss")]
    by = _group(known)
    return f"source=llm | eval {', '.join(flags)} | stats count() as calls, {', '.join(sums)} by {by}"


def _of_group(group: Mapping[str, Any]) -> list[Problem]:
    found = []
    for check in checks():
        over, amiss = group.get(f"over {check.name}") or 0, group.get(f"amiss {check.name}") or 0
        if over and amiss and amiss / over >= check.least:
            says = f"{_percent(amiss / over)} of {over:,} calls {check.says}"
            found.append(_problem(check.name, check.kind, group, (amiss, over), says, check.hint))
    return found


def _problem(
    check: str, kind: str, group: Mapping[str, Any], counts: tuple[int, int], says: str, hint: str
) -> Problem:  # fmt: skip
    where = {key: group.get(name) for key, name in _GROUP.items()}
    share = round(counts[0] / counts[1], 4)
    return Problem(check, kind, **where, share=share, count=counts[0], of=counts[1], says=says, hint=hint)


def _percent(share: float) -> str:
    return f"{share:.0%}" if share >= 0.01 else "less than 1%"


def _older(group: Mapping[str, Any]) -> Problem:
    says = f"{group['calls']} calls use names of the conventions up to 1.36 (gen_ai.system, one log event a message)"
    hint = "OTEL_SEMCONV_STABILITY_OPT_IN=gen_ai_latest_experimental, or opentelemetry-instrumentation-genai-*"
    return _problem("older-names", "deprecated", group, (group["calls"], group["calls"]), says, hint)


def _twice(traces: Sequence[Mapping[str, Any]]) -> list[Problem]:
    several = sum(1 for trace in traces if trace["n"] > 1)
    if not several:
        return []
    says = f"several instrumentations record calls in {_percent(several / len(traces))} of the traces"
    hint = "switch all but one off, or ask for one attributes.treering.dialect: sums count such calls more than once"
    return [_problem("recorded-twice", "contradictory", {}, (several, len(traces)), says, hint)]


def _metrics(rows: Sequence[Mapping[str, Any]]) -> list[Problem]:
    found = []
    for row in rows:
        new = row["attributes.treering.metric"]
        if str(row["name"]).startswith(("gen_ai.", "llm.")):
            says = f"the metric {row['name']} is called {new} now"
            hint = "newer releases use that name; queries find both under attributes.treering.metric"
            group = {_GROUP["service"]: row["serviceName"]}
            found.append(_problem("older-metric", "deprecated", group, (row["n"], row["n"]), says, hint))
    return found


async def _with_models(problems: list[Problem], ask: Any) -> list[Problem]:
    """Return the problems, those about prices with the models they are about."""
    if not any(problem.check == "no-price" for problem in problems):
        return problems
    rows = await ask(
        "source=llm | where attributes.gen_ai.usage.input_tokens > 0 and isnull(attributes.treering.cost.usd)"
        " | stats count() as n by attributes.gen_ai.request.model, attributes.treering.dialect | sort - n"
    )
    models: dict[str | None, list[str]] = {}
    for row in rows:
        models.setdefault(row["attributes.treering.dialect"], []).append(str(row["attributes.gen_ai.request.model"]))
    return [
        msgspec.structs.replace(problem, says=problem.says + _named(models.get(problem.dialect, [])))
        if problem.check == "no-price"
        else problem
        for problem in problems
    ]


def _named(models: Sequence[str]) -> str:
    return f" (models {', '.join(models[:_MOST_MODELS])}{', …' if len(models) > _MOST_MODELS else ''})"
