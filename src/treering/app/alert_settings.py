"""What `[alerts]` in `treering.toml` can say. Every field is described here and listed in docs/alerts.md."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from treering.core.config import Config

Level = Literal["informational", "low", "medium", "high", "critical"]


class OfFindings(Config, frozen=True):
    """Which findings raise an alert; what is left out matches everything."""

    detector: Annotated[tuple[str, ...], Meta(description="detectors")] = ()
    rule: Annotated[tuple[str, ...], Meta(description="rules of detectors")] = ()
    severity: Annotated[Level, Meta(description="at least so bad")] = "medium"


class OfIncidents(Config, frozen=True):
    """Which incidents raise an alert; what is left out matches everything."""

    kind: Annotated[tuple[str, ...], Meta(description="kinds of incidents")] = ()
    severity: Annotated[Level, Meta(description="at least so bad")] = "medium"


class Rule(Config, frozen=True):
    """What raises an alert: a query, findings, or incidents; exactly one of them."""

    name: Annotated[str, Meta(min_length=1, max_length=200, description="name, the label `alertname`")]
    query: Annotated[str, Meta(description="PPL that makes a table: one number, and columns that become labels")] = ""
    findings: Annotated[OfFindings | None, Meta(description="raise for findings like these")] = None
    incidents: Annotated[OfIncidents | None, Meta(description="raise for incidents like these")] = None
    field: Annotated[str, Meta(description="column that holds the number; the first numeric one unless given")] = ""
    above: Annotated[float | None, Meta(description="fires when the number is greater")] = None
    below: Annotated[float | None, Meta(description="fires when the number is smaller")] = None
    change_above: Annotated[
        float | None, Meta(description="fires when the number is more than so many times that of the window before")
    ] = None
    change_below: Annotated[
        float | None, Meta(description="fires when the number is less than so many times that of the window before")
    ] = None
    absent: Annotated[bool, Meta(description="fires when there is no row, or the number is 0")] = False
    window: Annotated[str, Meta(description="how much of the past the query looks at")] = "5m"
    every: Annotated[str, Meta(description="how often it is asked, by the records' clock")] = "1m"
    hold: Annotated[str, Meta(description="how long it must hold before it fires")] = "0s"
    severity: Annotated[Level, Meta(description="severity of alerts of a query")] = "medium"
    summary: Annotated[str, Meta(description="text; `{name}` stands for a label or `{value}`")] = ""
    labels: Annotated[dict[str, str], Meta(description="labels to add")] = msgspec.field(default_factory=dict)
    resolve_after: Annotated[str, Meta(description="when an alert on a finding ends if it does not come again")] = "1h"


class Route(Config, frozen=True):
    """Which alerts go to which receiver, and how fast."""

    receiver: Annotated[str, Meta(description="name of a receiver")]
    matchers: Annotated[tuple[str, ...], Meta(description='conditions on labels, as `severity=~"high|critical"`')] = ()
    group_by: Annotated[tuple[str, ...], Meta(description="labels whose values make a group")] = ("alertname",)
    group_wait: Annotated[str, Meta(description="how long a new group waits for others to join")] = "30s"
    group_interval: Annotated[str, Meta(description="how long until changes of a group are sent")] = "5m"
    repeat_interval: Annotated[str, Meta(description="how long until what goes on is sent again")] = "4h"
    resolved: Annotated[bool, Meta(description="whether to tell that it is over")] = True
    go_on: Annotated[bool, Meta(description="whether the routes after it are tried too")] = msgspec.field(
        default=False, name="continue"
    )


class Silence(Config, frozen=True):
    """What nobody is told about until some time."""

    matchers: Annotated[tuple[str, ...], Meta(min_length=1, description="conditions on labels")]
    until: Annotated[str, Meta(description="RFC 3339; forever unless given")] = ""
    comment: Annotated[str, Meta(description="why")] = ""


class Alerts(Config, frozen=True):
    """Whom to tell about what."""

    page: Annotated[str, Meta(description="address of the page, for links in alerts")] = ""
    rules: Annotated[tuple[Rule, ...], Meta(description="what raises alerts")] = ()
    routes: Annotated[tuple[Route, ...], Meta(description="who is told; the first that matches counts")] = ()
    receivers: Annotated[
        dict[str, dict[str, Any]], Meta(description="name to `kind` (a component of `treering.alert`) and its settings")
    ] = msgspec.field(default_factory=dict)
    silences: Annotated[tuple[Silence, ...], Meta(description="what nobody is told about")] = ()
    give_up: Annotated[str, Meta(description="when a delivery that fails is given up")] = "24h"
