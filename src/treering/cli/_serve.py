"""The running server: pipeline inside, HTTP around it, until a signal ends it."""

from __future__ import annotations

import asyncio
import gc
import logging
import shlex
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from treering.api import ppl, sql
from treering.api.querylog import QueryLog
from treering.api.routes import routes as api_routes
from treering.api.service import Listener as Shown
from treering.api.service import Service
from treering.app.config import Settings, limits
from treering.app.pipeline import Pipeline
from treering.app.rule_desk import RuleDesk
from treering.cli._screen import console
from treering.web.page import Page
from treering.web.server import HttpConfig, HttpServer, Listener

if TYPE_CHECKING:
    from treering.cli._demo import Demo


def run(settings: Settings, demo: Demo | None = None) -> None:
    """Serve until SIGTERM or SIGINT, then stop with nothing lost. Raises `UserError` when it cannot start."""
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s", stream=sys.stderr)
    # Records are trees without cycles, so reference counts free them; looking for cycles among the hundreds of
    # thousands of objects of a decoded body took an eighth of the CPU of taking it in.
    gc.freeze()
    gc.set_threshold(200_000, 20, 100)
    if sys.platform == "win32":
        asyncio.run(_serve(settings, demo))
        return
    import uvloop

    uvloop.run(_serve(settings, demo))


async def _serve(settings: Settings, demo: Demo | None) -> None:
    stopping = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    pipeline = Pipeline(settings)
    await pipeline.start()
    try:
        server = _http(pipeline)
        await server.start()
        try:
            main = server.listeners[0]
            pipeline.announce(main.address)
            _greet(settings, server, pipeline)
            if demo is not None:
                console(stderr=True).print(
                    "  demo  a day of an AI platform comes in, which takes a minute, and goes on"
                )
                demo.begin(main.address, _grpc_address(pipeline), pipeline.token if settings.tokens else None)
            await stopping.wait()
            if demo is not None:
                await asyncio.to_thread(demo.end)
        finally:
            pipeline.ready = False
            await server.stop()
    finally:
        await pipeline.stop()


def _http(pipeline: Pipeline) -> HttpServer:
    """Return the HTTP server: everything on the main listener, each protocol on its conventional port."""
    listen = pipeline.settings.listen
    listeners: list[Listener] = []
    service = _service(pipeline, listeners)
    everything = [*api_routes(service), *pipeline.routes, *ppl.routes(service), *sql.routes(service)]
    listeners.append(Listener("http", listen.host, listen.port, everything, Page(), required=True))
    if listen.conventional and listen.otlp_http:
        routes = [route for route in everything if route.path.startswith("/v1/")]
        listeners.append(Listener("otlp/http", listen.host, listen.otlp_http, routes))
    if listen.conventional and listen.opensearch:
        routes = [route for route in everything if not route.path.startswith(("/v1/", "/api/"))]
        listeners.append(Listener("opensearch", listen.host, listen.opensearch, routes))
    if listen.conventional and listen.splunk_hec:
        routes = [route for route in everything if route.path.startswith("/services/")]
        listeners.append(Listener("splunk hec", listen.host, listen.splunk_hec, routes))
    config = HttpConfig(allowed_hosts=listen.names)
    return HttpServer(listeners, pipeline.telemetry, pipeline.access, config)


def _service(pipeline: Pipeline, listeners: list[Listener]) -> Service:
    """Return what the API's routes work on; `listeners` may still grow."""
    return Service(
        pipeline.store,
        limits(pipeline.settings),
        pipeline.clock,
        pipeline.telemetry,
        listeners=lambda: [
            *(Shown(item.name, item.address, item.state) for item in listeners),
            *(Shown(*item) for item in pipeline.listening()),
        ],
        ready=lambda: pipeline.ready,
        started=pipeline.clock.monotonic(),
        dashboards=Path(pipeline.settings.dashboards) if pipeline.settings.dashboards else None,
        caller=pipeline.access.name,
        incidents=pipeline.incidents,
        alerts=pipeline.alerts,
        playbooks=pipeline.playbooks,
        ledger=pipeline.ledger,
        scans=pipeline.scans,
        drills=pipeline.drills,
        rules=RuleDesk(pipeline.settings.rules, pipeline.store, pipeline.clock),
        detection=lambda: pipeline.detection.status() if pipeline.detection is not None else None,
        templates=pipeline.templates,
        settings=pipeline.cluster_settings,
        log=QueryLog(pipeline.store, pipeline.clock, pipeline.telemetry, pipeline.settings.limits.slow),
    )


def _greet(settings: Settings, server: HttpServer, pipeline: Pipeline) -> None:
    main, *others = server.listeners
    screen = console(stderr=True)
    screen.print(f"treering is at {main.address}", style="bold green")
    screen.print(f"  data  {settings.directory.resolve()}")
    for name, address, state in [*((o.name, o.address, o.state) for o in others), *pipeline.listening()]:
        screen.print(
            f"  port  {address} {name}" + ("" if state == "open" else f": {state}"),
            style="" if state == "open" else "yellow",
        )
    screen.print(f"  send  curl --data-binary @app.log {main.address}/api/ingest/logs")
    screen.print(f"        export OTEL_EXPORTER_OTLP_ENDPOINT={main.address}")
    # Commands look in the usual directory unless they are told.
    there = "" if settings.data == Settings().data else f" --data {shlex.quote(settings.data)}"
    screen.print(f"        treering ingest /var/log/*.log{there}", soft_wrap=True)
    screen.print(f'  ask   treering query "source=logs | stats count() by serviceName"{there}', soft_wrap=True)
    screen.print("  stop  Ctrl-C")


def _grpc_address(pipeline: Pipeline) -> str | None:
    return next((at for name, at, state in pipeline.listening() if name == "otlp/grpc" and state == "open"), None)
