"""Inputs and outputs that are not what they were: lengths, tokens, language, model, tools, retrieval scores.

By service, for retrievals by collection. The last 5, 10 and 30 minutes are compared with the half hours of the last
day: categories by the population stability index, a chi-squared test and a binomial test of the category that grew
most; numbers by PSI and the Kolmogorov-Smirnov test over bins. All tests of a minute are corrected together (Benjamini
and Hochberg), and a shift is told only when it is large as well: PSI of at least .25, a usual rule for "changed". A
value counts once for a conversation. A model that a service has not used before is told by its third call. At most
`sample` calls a minute and service are looked at. It does not see topics, embeddings, or a change that takes days.
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import numpy as np
from msgspec import Meta

from treering.core.config import Config as BaseConfig
from treering.detect import _statistics as statistics
from treering.detect._evidence import evidence, named
from treering.detect._features import FIELDS, NUMERIC, OPERATION, features
from treering.detect._grouped import split
from treering.detect._recent import recent
from treering.detect._reference import MINUTE_NS, Feature, Shift, categorical, numeric
from treering.model.finding import Evidence, Finding, Severity
from treering.stage.detector import Example

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from treering.model.rows import Rows
    from treering.stage.detector import Ask

NAME = "drift"
ORDER_FREE = False
_POOLS = (5, 10, 30)
_MOST_GROUPS = 200
_KEPT_EVIDENCE = 6
_NEW_CALLS = 2
_MOST_MODELS = 100
_TELL_NS = 600 * 10**9
_ENTITY = {"model": "model", "tool": "tool"}


class Config(BaseConfig, frozen=True):
    """What is a shift."""

    psi: Annotated[float, Meta(gt=0, description="least population stability index that is told")] = 0.25
    distance: Annotated[float, Meta(gt=0, lt=1, description="least difference of shares or of distributions")] = 0.2
    false_share: Annotated[float, Meta(gt=0, lt=1, description="share of false shifts among those told")] = 1e-5
    least: Annotated[int, Meta(ge=5, description="least calls now")] = 15
    reference: Annotated[int, Meta(ge=10, description="least calls of the reference")] = 150
    reference_slots: Annotated[int, Meta(ge=1, description="least half hours of the reference")] = 3
    sustained: Annotated[int, Meta(ge=1, description="minutes in a row that begin a shift")] = 2
    recovered: Annotated[int, Meta(ge=1, description="minutes in a row that end it")] = 10
    accepted_s: Annotated[float, Meta(gt=0, description="seconds after which a shift is the new normal")] = 21_600.0
    sample: Annotated[int, Meta(ge=1, description="calls looked at a minute and service")] = 60


class Group(msgspec.Struct):
    """One feature of one service or collection."""

    service: str
    scope: str
    name: str
    feature: Feature = msgspec.field(default_factory=Feature)
    shown: list[Evidence] = []
    odd: int = 0
    calm: int = 0
    start_ns: int = 0
    noticed_ns: int = 0
    end_ns: int = 0
    told_ns: int = 0
    title: str = ""
    grown: str = ""
    models: dict[str, tuple[int, int]] = {}


class _State(msgspec.Struct):
    groups: list[Group]
    judged: dict[str, int]


class Drift:
    """Follows features by service and collection."""

    streams = frozenset({"spans"})
    every_s = 60.0

    def __init__(self, config: Config) -> None:
        """Start with nothing known."""
        self._config = config
        self._groups: dict[tuple[str, str, str], Group] = {}
        self._looked: dict[tuple[str, str, int], int] = {}
        self._judged: dict[str, int] = {}

    def observe(self, rows: Rows) -> Sequence[Finding]:
        """Count features; a shift is told when the minute has passed."""
        found: list[Finding] = []
        for index, (service, operation, minute) in self._sample(rows):
            at_ns = int(rows.times[index])
            unit = rows.text("attributes.gen_ai.conversation.id", index) or rows.text("traceId", index) or str(at_ns)
            for seen in features(rows, index, operation):
                group = self._group(service, seen.scope, seen.feature)
                group.feature.add(minute, seen.value, unit)
                if seen.feature == "model":
                    found += self._model(group, seen.value, rows, index)
                if seen.value == group.grown or len(group.shown) < _KEPT_EVIDENCE or (group.odd and not group.start_ns):
                    shown = evidence(rows, index, FIELDS[seen.feature], seen.shown)
                    group.shown = [*group.shown[1 - _KEPT_EVIDENCE :], shown]
        return found

    def _sample(self, rows: Rows) -> list[tuple[int, tuple[str, str, int]]]:
        """Return the first calls of each service, operation and minute, as many as are looked at, in their order."""
        codes, operations = rows.codes(OPERATION)
        services, names = rows.codes("serviceName")
        places = np.flatnonzero((codes >= 0) & ~rows.present("attributes.error.type"))
        if not len(places):
            return []
        minutes = rows.times[places] // MINUTE_NS
        keys = (minutes - minutes.min()) * len(operations) + codes[places]
        found: list[tuple[int, tuple[str, str, int]]] = []
        for part in split(keys * (len(names) + 1) + services[places] + 1):
            first = int(places[part[0]])
            service = names[services[first]] if services[first] >= 0 else ""
            looked = (service, operations[codes[first]], int(minutes[part[0]]))
            if looked[2] <= self._judged.get(service, -1) - max(_POOLS):
                continue
            before = self._looked.get(looked, 0)
            chosen = places[part[: max(0, self._config.sample - before)]].tolist()
            self._looked[looked] = before + len(chosen)
            found += [(index, looked) for index in chosen]
        return sorted(found)

    def _model(self, group: Group, model: str, rows: Rows, index: int) -> Iterable[Finding]:
        """Tell a model that this service, known for long enough, has not used before."""
        at_ns = int(rows.times[index])
        calls, since_ns = group.models.pop(model, (0, at_ns))
        since_ns = min(since_ns, at_ns)
        group.models[model] = (calls + 1, since_ns)
        if len(group.models) > _MOST_MODELS:
            del group.models[next(iter(group.models))]
        known = group.feature.reference()
        if calls + 1 != _NEW_CALLS or model in known or sum(known.values()) < self._config.reference:
            return
        yield Finding(
            detector=NAME,
            rule="new_model",
            title=f"{group.service} uses {model}, for the first time",
            severity=Severity.LOW,
            key=(group.service, model, str(since_ns)),
            start_ns=since_ns,
            end_ns=at_ns,
            noticed_ns=at_ns,
            score=0.5,
            entities=named([("service", group.service), ("model", model)]),
            evidence=(evidence(rows, index, FIELDS["model"], model),),
            facts={"calls": calls + 1, "known_models": len(known)},
        )

    def _group(self, service: str, scope: str, name: str) -> Group:
        key = (service, scope, name)
        return recent(self._groups, key, _MOST_GROUPS, Group, *key)

    def tick(self, now_ns: int, ask: Ask | None) -> Sequence[Finding]:  # noqa: ARG002  the batches say it all
        """Compare every minute that has passed with what was before."""
        until = now_ns // MINUTE_NS
        services: dict[str, list[Group]] = {}
        for group in self._groups.values():
            services.setdefault(group.service, []).append(group)
        found: list[Finding] = []
        for service, groups in services.items():
            for minute in sorted({at for group in groups for at in group.feature.recent if at < until}):
                if minute > self._judged.get(service, -1):
                    self._judged[service] = minute
                    found += self._judge(groups, minute)
        self._judged = {service: minute for service, minute in self._judged.items() if service in services}
        self._looked = {key: count for key, count in self._looked.items() if key[2] >= until}
        return found

    def _judge(self, groups: Sequence[Group], minute: int) -> Iterable[Finding]:
        """Judge a minute of all features of a service together."""
        shifts: list[tuple[Group, Shift]] = []
        fresh: list[Group] = []
        for group in groups:
            group.feature.age(minute, learn=not group.start_ns)
            if minute in group.feature.recent:
                fresh.append(group)
                shifts += [(group, shift) for shift in self._shifts(group, minute)]
        limit = statistics.surprising([shift.chance for _, shift in shifts], self._config.false_share)
        odd: dict[int, Shift] = {}
        for group, shift in shifts:
            large = shift.psi >= self._config.psi and shift.distance >= self._config.distance
            if large and shift.chance <= limit and id(group) not in odd:
                odd[id(group)] = shift
        for group in fresh:
            found = odd.get(id(group))
            yield from self._calm(group, minute) if found is None else self._odd(group, minute, found)

    def _shifts(self, group: Group, minute: int) -> Iterable[Shift]:
        before = group.feature.reference()
        if group.feature.span() < self._config.reference_slots or sum(before.values()) < self._config.reference:
            return
        compare = numeric if group.name in NUMERIC else categorical
        for minutes in _POOLS:
            now = group.feature.current(minute, minutes)
            if sum(now.values()) >= self._config.least:
                yield compare(now, before, self._config.distance)._replace(minutes=minutes)

    def _odd(self, group: Group, minute: int, shift: Shift) -> Iterable[Finding]:
        group.odd += 1
        group.calm = 0
        group.grown = shift.grown
        end_ns = (minute + 1) * MINUTE_NS
        if not group.start_ns:
            if group.odd < self._config.sustained:
                return
            since = group.feature.onset(minute, shift.minutes)
            group.start_ns, group.noticed_ns = since * MINUTE_NS, end_ns
            group.title = _title(group, shift)
            group.shown = [one for one in group.shown if one.time_ns >= group.start_ns] or group.shown
        elif end_ns - group.told_ns < _TELL_NS:
            group.end_ns = end_ns
            return
        group.end_ns = group.told_ns = end_ns
        yield self._finding(group, shift, {})
        if end_ns - group.start_ns > self._config.accepted_s * 1e9:
            group.start_ns = group.odd = 0

    def _calm(self, group: Group, minute: int) -> Iterable[Finding]:
        group.odd = 0
        if not group.start_ns:
            return
        group.calm += 1
        if group.calm < self._config.recovered:
            return
        yield self._finding(group, None, {"ended": True})
        group.start_ns = group.calm = 0
        group.shown = []
        group.feature.age(minute, learn=False)

    def _finding(self, group: Group, shift: Shift | None, facts: dict[str, Any]) -> Finding:
        if shift is not None:
            facts = {
                "psi": round(shift.psi, 3), "chance": shift.chance, "distance": round(shift.distance, 3),
                "grown": shift.grown, "share": round(shift.share, 3), "before": round(shift.before, 3),
                "calls": shift.calls, "reference": shift.reference,
            }  # fmt: skip
        about: list[tuple[str, str | None]] = [("service", group.service), ("collection", group.scope)]
        if group.name in _ENTITY:
            about.append((_ENTITY[group.name], group.grown))
        return Finding(
            detector=NAME,
            rule=group.name,
            title=group.title,
            severity=Severity.MEDIUM,
            key=(group.service, group.scope, group.name, str(group.start_ns)),
            start_ns=group.start_ns,
            end_ns=group.end_ns,
            noticed_ns=group.noticed_ns,
            score=min(1.0, shift.psi) if shift is not None else 0.0,
            entities=named(about),
            evidence=tuple(group.shown),
            facts=facts,
        )

    def save(self) -> bytes:
        """Return all groups."""
        return msgspec.msgpack.encode(_State(list(self._groups.values()), self._judged))

    def restore(self, state: bytes) -> None:
        """Go on from saved groups. Raises `ValueError`."""
        held = msgspec.msgpack.decode(state, type=_State)
        self._groups = {(group.service, group.scope, group.name): group for group in held.groups}
        self._judged = held.judged


def _title(group: Group, shift: Shift) -> str:
    what = group.name.replace("_", " ")
    where = f"{group.service}, {group.scope}" if group.scope else group.service
    if group.name in NUMERIC:
        return f"the {what} of {where} is not what it was (PSI {shift.psi:.2f})"
    return f"{what} of {where}: {shift.share:.0%} are {shift.grown[:60]}, {shift.before:.0%} before"


def build(config: Config) -> Drift:
    """Return the detector."""
    return Drift(config)


def _answers(minutes: int, other_from: int) -> list[dict[str, Any]]:
    """Return four model calls a minute, of another model with longer answers from the minute `other_from` on."""
    chance = random.Random(5)  # noqa: S311  an example has to be repeatable
    found: list[dict[str, Any]] = []
    for number in range(minutes * 4):
        other = number >= other_from * 4
        attributes = {
            "gen_ai.operation.name": "chat",
            "gen_ai.request.model": "m-2" if other else chance.choice(["m-1", "m-1", "m-0"]),
            "gen_ai.usage.output_tokens": int(chance.lognormvariate(6 if other else 4, 0.4)),
        }
        at = 1_772_000_000_000_000_000 + number * 15 * 10**9
        found.append({"@timestamp": at, "serviceName": "rag", "attributes": attributes})
    return found


EXAMPLES = (
    Example(
        "another model answers, at length",
        "spans",
        _answers(240, 225),
        ("model", "output_tokens"),
        60,
    ),
    Example("the same two models answer", "spans", _answers(240, 240), (), 60),
)
