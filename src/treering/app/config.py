"""What `treering.toml` can say. Every field is described here and listed in docs/configuration.md."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from treering.app.alert_settings import Alerts
from treering.core import registry
from treering.core.access import Access, Token
from treering.core.config import Config, decode, read_toml
from treering.core.errors import UserError
from treering.stage.store import Limits as QueryLimits

NAME = "treering.toml"
_AGE = re.compile(r"(\d+)([smhdw])")
_SIZE = re.compile(r"(\d+)(B|KB|MB|GB)")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_BYTES = {"B": 1, "KB": 1 << 10, "MB": 1 << 20, "GB": 1 << 30}

Port = Annotated[int, Meta(ge=0, le=65_535)]


class Listen(Config, frozen=True):
    """Where the server listens. Port 0 takes any free port; a conventional port of 0 is not opened."""

    host: Annotated[str, Meta(description="address of every listener")] = "127.0.0.1"
    port: Annotated[Port, Meta(description="the page, the API and every HTTP protocol")] = 7600
    names: Annotated[tuple[str, ...], Meta(description="further host names the server is called by")] = ()
    conventional: Annotated[bool, Meta(description="whether to open the ports below")] = True
    otlp_grpc: Annotated[Port, Meta(description="OTLP/gRPC")] = 4317
    otlp_http: Annotated[Port, Meta(description="OTLP/HTTP")] = 4318
    opensearch: Annotated[Port, Meta(description="OpenSearch and Elasticsearch clients")] = 9200
    splunk_hec: Annotated[Port, Meta(description="Splunk HTTP Event Collector")] = 8088
    syslog: Annotated[Port, Meta(description="syslog over UDP and TCP")] = 5514
    syslog_host: Annotated[
        str,
        Meta(description="address of the syslog port; it knows no authentication, so all who reach it may send"),
    ] = "127.0.0.1"


class Follow(Config, frozen=True):
    """Files to read as they grow."""

    paths: Annotated[tuple[str, ...], Meta(description="paths and globs, `**` included")]
    into: Annotated[str, Meta(description="the stream that gets the records")] = "logs"
    start: Annotated[
        Literal["beginning", "end"], Meta(description="where to begin in files that are there at the first start")
    ] = "beginning"
    format: Annotated[str, Meta(description="`auto`, `json`, `otlp` or `log`")] = "auto"
    service: Annotated[str, Meta(description="`serviceName` of records that do not name one")] = ""
    host: Annotated[str, Meta(description="`resource.attributes.host.name` of records that do not name one")] = ""
    zone: Annotated[str, Meta(description="time zone of times that name none, as `Europe/Berlin`")] = "UTC"


class Incidents(Config, frozen=True):
    """When findings are an incident, and how long."""

    open_risk: Annotated[
        float, Meta(ge=0, description="risk points that make an incident: 3, 10, 25, 50 a finding by severity")
    ] = 10.0
    quiet: Annotated[
        str,
        Meta(description="an incident to which nothing is added for so long is resolved, but attacks and runs"),
    ] = "1h"
    horizon: Annotated[str, Meta(description="how far back findings can still join an incident")] = "3d"
    playbooks: Annotated[str, Meta(description="directory of playbooks of your own")] = ""


class Detect(Config, frozen=True):
    """What watches the records."""

    enabled: Annotated[bool, Meta(description="whether records are watched at all")] = True
    detectors: Annotated[
        tuple[str, ...] | None, Meta(description="detectors to run, by name; all there are unless named")
    ] = None
    off: Annotated[tuple[str, ...], Meta(description="detectors not to run")] = ()
    lateness_s: Annotated[
        float, Meta(ge=0, le=3600, description="seconds a record may be late and still be in time for its window")
    ] = 30.0
    settings: Annotated[
        dict[str, dict[str, Any]], Meta(description="detector to its settings: `[detect.settings.NAME]`")
    ] = msgspec.field(default_factory=dict)


class Rules(Config, frozen=True):
    """Rules of one's own, and shipped ones not to ask."""

    paths: Annotated[tuple[str, ...], Meta(description="files of rules, or directories of them")] = ()
    off: Annotated[tuple[str, ...], Meta(description="ids of rules that are not asked")] = ()


class Limits(Config, frozen=True):
    """How much one query, and the receivers together, may use."""

    rows: Annotated[int, Meta(ge=1, description="rows in one answer")] = 10_000
    seconds: Annotated[float, Meta(gt=0, description="seconds one query may run")] = 60.0
    memory: Annotated[str, Meta(description="memory one query may use, as `512MB` or `1GB`")] = "1GB"
    scanned: Annotated[
        str, Meta(description="bytes of segments one query may read, as `20GB`; empty sets no limit")
    ] = ""
    slow: Annotated[
        float, Meta(ge=0, description="seconds from which a query is noted in the stream `queries`; 0 notes none")
    ] = 1.0
    waiting: Annotated[
        int, Meta(ge=1, description="requests that may wait for the store before senders are told to")
    ] = 256


class Prices(Config, frozen=True):
    """What model calls cost, where you know better than the prices that come with treering."""

    file: Annotated[str, Meta(description="a TOML file of dated prices, see docs/cost.md")] = ""


class Masking(Config, frozen=True):
    """What is taken out of records before they are stored."""

    secrets: Annotated[bool, Meta(description="whether keys, tokens, passwords, card and account numbers are")] = False
    personal: Annotated[bool, Meta(description="whether e-mail addresses, telephone and national numbers … are")] = (
        False
    )
    ip_addresses: Annotated[bool, Meta(description="whether public IP addresses are")] = False
    leave_out: Annotated[tuple[str, ...], Meta(description="kinds that are kept as they are, by name")] = ()


class Settings(Config, frozen=True):
    """Everything `treering up` can be told."""

    data: Annotated[str, Meta(description="directory that keeps everything")] = "treering-data"
    store: Annotated[str, Meta(description="engine, a component of `treering.store`")] = "duckdb"
    opensearch: Annotated[
        dict[str, Any], Meta(description="the cluster, where the store is `opensearch`: `treering.store.opensearch`")
    ] = msgspec.field(default_factory=dict)
    listen: Annotated[Listen, Meta(description="addresses and ports")] = Listen()
    follow: Annotated[tuple[Follow, ...], Meta(description="files to follow")] = ()
    sources: Annotated[
        tuple[dict[str, Any], ...], Meta(description="others to ask: `use` names a component of `treering.receive`")
    ] = ()
    retention: Annotated[
        dict[str, str], Meta(description="stream (or pattern with `*`) to the age at which its records go, as `30d`")
    ] = msgspec.field(default_factory=dict)
    dashboards: Annotated[str, Meta(description="folder of further dashboards, one file each")] = ""
    incidents: Annotated[Incidents, Meta(description="when findings are an incident")] = Incidents()
    detect: Annotated[Detect, Meta(description="what watches the records")] = Detect()
    rules: Annotated[Rules, Meta(description="rules of your own")] = Rules()
    masking: Annotated[Masking, Meta(description="what is not to be stored")] = Masking()
    alerts: Annotated[Alerts, Meta(description="whom to tell about what")] = Alerts()
    limits: Annotated[Limits, Meta(description="bounds on queries and receivers")] = Limits()
    prices: Annotated[Prices, Meta(description="prices of your own")] = Prices()
    tokens: Annotated[tuple[Token, ...], Meta(description="who may come in; none means anyone on loopback")] = ()

    @property
    def directory(self) -> Path:
        """The data directory."""
        return Path(self.data)


def load(path: Path | None = None) -> Settings:
    """Return the settings in `path`, else in `./treering.toml` if there is one, else the defaults.

    Raises `UserError` for a missing or malformed file, unknown names and values that cannot be.
    """
    if path is None:
        path = Path(NAME)
        if not path.exists():
            return Settings()
    settings = decode(read_toml(path), Settings, str(path))
    check(settings)
    return _with_rules(settings)


def _with_rules(settings: Settings) -> Settings:
    """Hand what `[rules]` says to the detector of that name."""
    if settings.rules == Rules():
        return settings
    own = {name: value for name, value in msgspec.structs.asdict(settings.rules).items() if value}
    every = {**settings.detect.settings, "rules": {**settings.detect.settings.get("rules", {}), **own}}
    return msgspec.structs.replace(settings, detect=msgspec.structs.replace(settings.detect, settings=every))


def check(settings: Settings) -> None:
    """Raise `UserError` for settings that contradict themselves or would leave the server open to a network."""
    limits(settings)
    for age in (*settings.retention.values(), settings.incidents.quiet, settings.incidents.horizon):
        seconds(age)
    if settings.opensearch:
        store_config(settings)
    for table in settings.sources:
        source_of(table)
    Access(settings.tokens).require_for(settings.listen.host)
    if settings.masking != Masking():
        from treering.app.masking import kinds

        kinds(settings.masking)
    if settings.alerts != Alerts():
        from treering.app.alerting import checked

        checked(settings)


def store_config(settings: Settings) -> Config:
    """Return the configuration of the store. Raises `UserError`."""
    kind: type[Config] = registry.load("treering.store", settings.store).Config
    days = {pattern: seconds(age) / 86_400 for pattern, age in settings.retention.items()}
    own = settings.opensearch if settings.store == "opensearch" else {}
    return decode({**own, "retention": days}, kind, settings.store)


def source_of(table: dict[str, Any]) -> tuple[str, Config]:
    """Return component and configuration of a table of `sources`. Raises `UserError`."""
    settings = dict(table)
    name = settings.pop("use", None)
    if not isinstance(name, str):
        raise UserError("sources: a table without use", hint='name the source, as use = "prometheus"')
    kind: type[Config] = registry.load("treering.receive", name).Config
    return name, decode(settings, kind, f"sources, {name}")


def seconds(age: str) -> int:
    """Return the seconds of a time span such as `15m`, `30d`, `2w`. Raises `UserError`."""
    if not (found := _AGE.fullmatch(age)):
        raise UserError(f"{age!r} is not a time span", hint="a number and one of s m h d w, as 30d")
    return int(found[1]) * _SECONDS[found[2]]


def size(text: str) -> int:
    """Return the bytes of a size such as `512MB`. Raises `UserError`."""
    if not (found := _SIZE.fullmatch(text)):
        raise UserError(f"{text!r} is not a size", hint="a number and one of B KB MB GB, as 512MB")
    return int(found[1]) * _BYTES[found[2]]


def limits(settings: Settings) -> QueryLimits:
    """Return the bounds of one query as the store takes them."""
    about = settings.limits
    scanned = size(about.scanned) if about.scanned else None
    return QueryLimits(about.rows, about.seconds, size(about.memory), scanned)
