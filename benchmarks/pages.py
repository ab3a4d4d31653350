"""What every page costs the server: each is opened in Chromium, and what it asked is asked again and measured."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode, urlsplit

from benchmarks.engine import Engine
from treering.model.times import format_ns

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Request

AIM = 300
SITES = {
    "Overview": ("/", {}),
    "Explore, all logs": ("/explore", {}),
    "Explore, a rare word": ("/explore", {"q": "zirconium7781"}),
    "Explore, a common word": ("/explore", {"q": "documents"}),
    "Explore, errors": ("/explore", {"q": "severityText=ERROR"}),
    "Explore, a table": ("/explore", {"q": "stats count() by serviceName"}),
    "Explore, spans": ("/explore", {"stream": "spans"}),
    "LLM": ("/llm", {}),
    "Security": ("/security", {}),
    "Quality and drift": ("/quality", {}),
    "Training run": ("/training", {}),
    "Incidents": ("/incidents", {}),
    "Alerts": ("/alerts", {}),
    "Dashboard cost": ("/dashboards", {"name": "cost"}),
    "Dashboard inference": ("/dashboards", {"name": "inference"}),
    "Dashboard llm": ("/dashboards", {"name": "llm"}),
    "Dashboard rag": ("/dashboards", {"name": "rag"}),
    "Dashboard security": ("/dashboards", {"name": "security"}),
}


@dataclass(frozen=True)
class Asked:
    """One request of a page."""

    method: str
    path: str
    body: bytes

    @property
    def shown(self) -> str:
        """The path, and of several queries their names."""
        if self.path == "/api/queries":
            return f"/api/queries ({', '.join(json.loads(self.body)['queries'])})"
        return self.path.partition("?")[0]


def recorded(engine: Engine, browser: Browser, path: str, more: dict[str, str]) -> list[Asked]:
    """Return what the page at `path` asked of `/api`, each request once."""
    page = browser.new_page(viewport={"width": 1440, "height": 900}, base_url=f"http://127.0.0.1:{engine.port}")
    found: dict[Asked, None] = {}

    def note(request: Request) -> None:
        parts = urlsplit(request.url)
        if parts.path.startswith("/api/") and parts.path != "/api/tail":
            asked = parts.path + (f"?{parts.query}" if parts.query else "")
            found[Asked(request.method, asked, request.post_data_buffer or b"")] = None

    page.on("request", note)
    page.goto(f"{path}?{urlencode(more)}")
    page.wait_for_load_state("networkidle", timeout=120_000)
    page.wait_for_timeout(1000)
    page.wait_for_load_state("networkidle", timeout=120_000)
    page.close()
    return list(found)


def report(
    engine: Engine,
    start_ns: int,
    end_ns: int,
    cost: Callable[[Engine, Callable[[], object]], float],
    line: Callable[[str, float, float | None, str], str],
) -> None:
    """Print what each page costs over the whole range, and each of its requests."""
    path = os.environ.get("TREERING_CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
    if path is None:
        print("  the pages are left out: no Chromium (TREERING_CHROMIUM names it)")
        return
    from playwright.sync_api import sync_playwright

    span = {"from": format_ns(start_ns), "to": format_ns(end_ns)}
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-gpu"])
        asked = {name: recorded(engine, browser, where, {**more, **span}) for name, (where, more) in SITES.items()}
        browser.close()
    engine.settle()
    known: dict[Asked, float] = {}
    for name, requests in asked.items():
        for request in requests:
            if request not in known:
                known[request] = cost(engine, lambda request=request: _ask(engine, request))  # type: ignore[misc]
        print(line(name, sum(known[request] for request in requests), AIM, f"{len(requests)} requests"), flush=True)
        for request in requests:
            print(f"      {known[request]:7.1f} ms  {request.shown[:110]}", flush=True)


def _ask(engine: Engine, asked: Asked) -> Any:
    status, answer = engine.call(asked.method, asked.path, asked.body)
    if status >= 500:
        raise RuntimeError(f"{asked.path}: {status} {answer[:300]!r}")
    return status
