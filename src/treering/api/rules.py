"""Rules: the list, one tested on its cases or replayed on what is stored, and what all of them cover."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from treering.api.answers import body
from treering.app.config import seconds
from treering.app.rule_coverage import edition_2025, names
from treering.core.errors import UserError
from treering.model.times import format_ns

if TYPE_CHECKING:
    from collections.abc import Mapping

    from treering.api.service import Service
    from treering.app.rule_coverage import Technique
    from treering.app.rule_desk import RuleDesk
    from treering.detect._rule_files import Rule
    from treering.stage.source import Request

_MOST_ENTITIES, _MOST_TEXT = 50, 400
_SHOWN = ("id", "title", "severity", "stream", "logsource", "techniques", "tactic", "window", "threshold", "at_most")
_TOLD = ("distinct", "by", "description", "false_positives", "response", "references", "author", "origin")


class BacktestBody(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """`POST /api/rules/{id}/backtest`."""

    since: str = "30d"


async def listed(service: Service, _request: Request) -> dict[str, Any]:
    """Return all rules, with their conditions and how many cases they carry."""
    desk = _desk(service)
    rules = await service.call(lambda: desk.rules)
    return {"rules": [_rule(rule, desk) for rule in rules]}


async def test(service: Service, request: Request) -> dict[str, Any]:
    """Run the cases of a rule, each in a store of its own."""
    cases, failed = await service.call(_desk(service).test, request.params["id"])
    return {"cases": cases, "failed": [msgspec.to_builtins(one) for one in failed]}


async def backtest(service: Service, request: Request) -> dict[str, Any]:
    """Return what a rule would have told of what is stored: by day, for whom, with some records."""
    asked = body(request, BacktestBody)
    found = await service.call(_desk(service).backtest, request.params["id"], seconds(asked.since))
    most = sorted(found.entities.items(), key=lambda pair: (-pair[1], pair[0]))[:_MOST_ENTITIES]
    shown = {"entities": [{"name": name, "told": told} for name, told in most], "distinct": len(found.entities)}
    return {**msgspec.structs.asdict(found), "evidence": [_row(row) for row in found.evidence], **shown}


async def coverage(service: Service, _request: Request) -> dict[str, Any]:
    """Return OWASP's lists and ATLAS, with what claims each technique and whether that is proven."""
    desk = _desk(service)
    return {"techniques": [_technique(one) for one in await service.call(lambda: desk.coverage)]}


async def called(_service: Service, _request: Request) -> dict[str, Any]:
    """Return what people call techniques and tactics, by id."""
    return {"names": names()}


def _rule(rule: Rule, desk: RuleDesk) -> dict[str, Any]:
    tests = rule.tests
    return {
        **{name: msgspec.to_builtins(getattr(rule, name)) for name in (*_SHOWN, *_TOLD)},
        "steps": [{"name": part.name, "condition": part.condition} for part in rule.parts],
        "ordered": rule.ordered,
        "cases": {"match": len(tests.match), "no_match": len(tests.no_match)} if tests else {"match": 0, "no_match": 0},
        "off": rule.id in desk.off,
    }


def _row(row: Mapping[str, Any]) -> dict[str, str]:
    """Return when a record was, whose it is, and what it says."""
    at = row.get("@timestamp")
    said = next((str(row[name]) for name in ("body", "name") if row.get(name)), "")
    time = format_ns(at) if isinstance(at, int) else str(at or "")
    return {"time": time, "service": str(row.get("serviceName") or ""), "text": said[:_MOST_TEXT]}


def _technique(found: Technique) -> dict[str, Any]:
    return {**msgspec.to_builtins(found), "edition_2025": edition_2025(found.id)}


def _desk(service: Service) -> RuleDesk:
    if service.rules is None:
        raise UserError("rules are shown by a running server", hint="treering up, or treering rules list")
    return service.rules


OPERATIONS = (
    ("GET", "/api/rules", listed),
    ("GET", "/api/rules/coverage", coverage),
    ("GET", "/api/techniques", called),
    ("POST", "/api/rules/{id}/test", test),
    ("POST", "/api/rules/{id}/backtest", backtest),
)
# They only read what is stored, but cost more than a question.
ANALYST = frozenset({("POST", "/api/rules/{id}/test"), ("POST", "/api/rules/{id}/backtest")})
