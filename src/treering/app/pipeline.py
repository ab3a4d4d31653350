"""The whole of treering in order, from configuration to a running process.

    senders ─► receivers ─► sink ─► store ◄── queries (treering.api)
               HTTP routes   │        │
               own sources   │        ├── by itself: segments, merging, retention
                             │        └─► detection ─► ledger (the stream `findings`) ─► incidents ─► alerts
                             └── masked, enriched, bounded, off the event loop

`start` goes through it from the store outwards, so that nothing is received before it can be kept; `stop` goes back
from the senders inwards, so that everything received is kept.
"""

from __future__ import annotations

import asyncio
import hashlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from treering.app import canaries, owner, templating
from treering.app.alerts import AlertDesk
from treering.app.config import Settings, limits, seconds, source_of, store_config
from treering.app.detection import Detection
from treering.app.drill.drills import Drills
from treering.app.incidents import Desk
from treering.app.ledger import Ledger
from treering.app.masking import masking
from treering.app.playbooks import Playbooks
from treering.app.scan import Scans
from treering.app.sink import StoreSink
from treering.app.templating import Templates
from treering.core import registry
from treering.core.access import Access, Token, digest, new_token
from treering.core.clock import SystemClock
from treering.core.errors import UserError
from treering.core.telemetry import Telemetry
from treering.parse import vector_access
from treering.receive.opensearch import Indices
from treering.stage.source import Context, Route
from treering.stage.store import Claimed

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from treering.app.config import Detect
    from treering.core.clock import Clock
    from treering.core.config import Config
    from treering.stage.enricher import Enricher
    from treering.stage.source import Source
    from treering.stage.store import Store

# Receivers that speak HTTP, in the order in which their routes are tried.
HTTP = ("ingest", "otlp_http", "splunk_hec", "cloudwatch_push", "firehose", "loki", "remote_write")
# Those that share names, templates and the finding of documents by id.
OPENSEARCH = ("bulk", "opensearch")


class Pipeline:
    """Store, receivers and jobs of one data directory."""

    store: Store
    templates: Templates
    sink: StoreSink
    context: Context
    incidents: Desk
    alerts: AlertDesk
    playbooks: Playbooks
    ledger: Ledger
    scans: Scans
    drills: Drills

    def __init__(self, settings: Settings, clock: Clock | None = None) -> None:
        """Keep the settings; nothing is opened before `start`."""
        self.settings = settings
        self.clock = clock or SystemClock()
        self.telemetry = Telemetry()
        self.token = new_token()
        self.pool = ThreadPoolExecutor(8, thread_name_prefix="treering")
        self.routes: list[Route] = []
        self.sources: list[Source] = []
        self.ready = False
        self.detection: Detection | None = None
        self.cluster_settings: Callable[[], Mapping[str, Any]] = dict
        self._owner: owner.Owner | None = None

    async def start(self) -> None:
        """Open the store, build the receivers, start sources and jobs. Raises `UserError` when one cannot."""
        self.store = await asyncio.to_thread(_owned, self.settings)
        self.templates = open_templates(self.settings)
        detect = canaries.watching(self.settings.detect, self.settings.directory)
        self.drills = Drills(detect, self.store, self.clock, self.settings.directory)
        self.sink = self._sink()
        self.context = Context(self.sink, self.clock, self.telemetry)
        self.ledger = Ledger(self.store, self.clock)
        self.incidents = await asyncio.to_thread(open_desk, self.settings, self.store, self.clock, self.records_now_ns)
        self.ledger.listeners.append(self.incidents.take)
        self.alerts = await asyncio.to_thread(self._alerts)
        self.playbooks = open_playbooks(self.settings, self.store, self.clock)
        self.scans = Scans(detect, self.store, self.ledger, self.clock, self.settings.directory)
        try:
            self.detection = await asyncio.to_thread(self._detection, detect)
            state = self.settings.directory / "opensearch.json"
            indices = Indices(self.store, self.clock, state, limits(self.settings))
            self.cluster_settings = lambda: indices.state.settings
            self.routes = [route for name in HTTP for route in self._built(name)]
            self.routes += [route for name in OPENSEARCH for route in self._built(name, indices)]
            for name, config, extra in self._configured():
                built: Source = registry.load("treering.receive", name).build(config, self.context, *extra)
                if not hasattr(built, "start"):
                    raise UserError(f"{name} is no source but a protocol of the HTTP listener, and on anyway")
                await built.start()
                self.sources.append(built)
            await asyncio.to_thread(self.alerts.start)
            self.incidents.start()
            if self.detection is not None:
                await asyncio.to_thread(self.detection.start)
        except BaseException:
            await self.stop()
            raise
        self.ready = True

    def _sink(self) -> StoreSink:
        return StoreSink(
            self.store,
            self.pool,
            self.settings.limits.waiting,
            enrichers=enrichers(self.settings, self.templates),
            telemetry=self.telemetry,
            masking=masking(self.settings, self.telemetry),
            sorting=self.drills.sorted_out,
        )

    async def stop(self) -> None:
        """Stop taking in, store what is on its way, write what is only in memory, release the directory."""
        self.ready = False
        for source in self.sources:
            await source.stop()
        await self.sink.settle()
        if self.detection is not None:
            await asyncio.to_thread(self.detection.stop)
        await asyncio.to_thread(self.drills.close)
        await asyncio.to_thread(self.scans.stop)
        await asyncio.to_thread(self.incidents.stop)
        await asyncio.to_thread(self.alerts.stop)
        self.sink.close()
        await asyncio.to_thread(self.store.close)
        if self._owner is not None:
            owner.withdraw(self.settings.directory, self._owner)
        self.pool.shutdown(wait=False)

    def announce(self, address: str) -> None:
        """Tell commands on this machine that the directory is served at `address`."""
        self._owner = owner.announce(self.settings.directory, address, self.token)

    def records_now_ns(self) -> int:
        """Return how far the records' own time has come; the machine's where nothing is watched."""
        seen = 0 if self.detection is None else self.detection.watermark.value_ns
        return seen or self.clock.now_ns()

    def listening(self) -> list[tuple[str, str, str]]:
        """Return name, address and state of the ports that sources opened by themselves."""
        return [about for source in self.sources if (about := getattr(source, "listening", None)) is not None]

    @property
    def access(self) -> Access:
        """Who may call: the configured tokens, and commands on this machine by the note in the data directory."""
        if not self.settings.tokens:
            return Access()
        return Access((*self.settings.tokens, Token(name="this machine", sha256=digest(self.token), role="admin")))

    def _configured(self) -> list[tuple[str, Config, tuple[Any, ...]]]:
        """Return the sources that the configuration asks for: component name, configuration, what else it needs."""
        found: list[tuple[str, Config, tuple[Any, ...]]] = []
        listen = self.settings.listen
        if listen.conventional and listen.otlp_grpc:
            grpc = registry.load("treering.receive", "otlp_grpc")
            found.append(("otlp_grpc", grpc.Config(host=listen.host, port=listen.otlp_grpc), (self.access,)))
        if listen.conventional and listen.syslog:
            syslog = registry.load("treering.receive", "syslog")
            found.append(("syslog", syslog.Config(host=listen.syslog_host, port=listen.syslog), ()))
        for follow in self.settings.follow:
            state = follow_state(self.settings.directory, follow.into, follow.paths)
            module = registry.load("treering.receive", "follow")
            config: Config = module.Config(
                paths=follow.paths,
                into=follow.into,
                start=follow.start,
                format=follow.format,
                service=follow.service,
                host=follow.host,
                zone=follow.zone,
                state=str(state),
            )
            found.append(("follow", config, ()))
        for name, config in map(source_of, self.settings.sources):
            uses_store = getattr(registry.load("treering.receive", name), "USES_STORE", False)
            found.append((name, self._kept(name, config), (self.store,) if uses_store else ()))
        return found

    def _detection(self, settings: Detect) -> Detection | None:
        if not settings.enabled:
            return None
        directory = self.settings.directory
        return Detection(settings, self.store, self.ledger, self.clock, self.telemetry, directory, self.drills)

    def _kept(self, name: str, config: Config) -> Config:
        """Return `config` with the file that keeps how far its source has come, where it has one and names none."""
        if getattr(config, "state", None) != "":
            return config
        mark = hashlib.sha256(msgspec.json.encode(config)).hexdigest()[:12]
        return msgspec.structs.replace(config, state=str(self.settings.directory / f"{name}-{mark}.json"))

    def _alerts(self) -> AlertDesk:
        """Return the alerts, told of findings and incidents."""
        now, folder = self.records_now_ns, self.settings.directory
        desk = AlertDesk(self.settings.alerts, self.store, self.clock, self.telemetry, folder, now)
        self.incidents.finding_listeners.append(desk.alerting.take_findings)
        self.incidents.listeners.append(desk.alerting.take_incidents)
        return desk

    def _built(self, name: str, *needs: object) -> Sequence[Route]:
        module = registry.load("treering.receive", name)
        routes: Sequence[Route] = module.build(module.Config(), self.context, *needs)
        return routes


def enrichers(settings: Settings, templates: Templates) -> tuple[Enricher, ...]:
    """Return what every batch goes through on its way into the store, in order."""
    from treering.parse import pricelines
    from treering.parse.genai.normalise import Normaliser
    from treering.parse.prices import Prices

    file = settings.prices.file
    return (Normaliser(Prices(pricelines.read(Path(file)) if file else ())), vector_access.enrich, templates)


def open_templates(settings: Settings) -> Templates:
    """Return the templates of the data directory's messages."""
    return Templates(settings.directory / templating.FILE)


def open_store(settings: Settings) -> Store:
    """Return the store of the data directory, as this process's own. Raises `UserError` when another one owns it."""
    module = registry.load("treering.store", settings.store)
    settings.directory.mkdir(parents=True, exist_ok=True)
    store: Store = module.build(store_config(settings), settings.directory)
    return store


def _owned(settings: Settings) -> Store:
    """Return the store as the one that writes. Raises `UserError` when another process does, wherever it runs."""
    store = open_store(settings)
    if isinstance(store, Claimed):
        try:
            store.claim()
        except BaseException:
            store.close()
            raise
    return store


def open_desk(settings: Settings, store: Store, clock: Clock, now_ns: Callable[[], int] | None = None) -> Desk:
    """Return the incidents of the data directory; nothing is folded before `start` or `settle`."""
    about = settings.incidents
    return Desk(
        store,
        clock,
        settings.directory,
        now_ns=now_ns,
        open_risk=about.open_risk,
        quiet_s=seconds(about.quiet),
        horizon_days=seconds(about.horizon) / 86_400,
    )


def open_playbooks(settings: Settings, store: Store, clock: Clock) -> Playbooks:
    """Return the playbooks, shipped and own. Raises `UserError` for one that cannot be read."""
    own = settings.incidents.playbooks
    return Playbooks(store, clock, Path(own) if own else None)


def follow_state(directory: Path, into: str, paths: Sequence[str]) -> Path:
    """Return the file that keeps the positions of a set of followed paths; another set has its own."""
    mark = hashlib.sha256("\0".join((into, *paths)).encode()).hexdigest()[:12]
    return directory / f"follow-{mark}.json"
