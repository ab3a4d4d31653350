"""A browser, and a running treering with the known records in it."""

from __future__ import annotations

import contextlib
import os
import shutil
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from tests.server import running
from tests.web import known_records

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Page

    from tests.server import Server

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
WAIT_MS = 30_000  # pages ask for incidents and alerts again every 15 seconds


@pytest.fixture(scope="module")  # not longer: its event loop runs in this thread until it stops
def browser() -> Iterator[Browser]:
    path = os.environ.get("TREERING_CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
    if path is None:
        if os.environ.get("CI") == "true":
            pytest.fail("no Chromium: CI must have it")
        pytest.skip("needs Chromium (apt install chromium, or TREERING_CHROMIUM=path)")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def known(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A treering that holds the known records, oldest first."""
    now = datetime.now(UTC)
    with running(tmp_path_factory.mktemp("known") / "data") as server:
        server.send("logs", known_records.logs(now)[::-1])
        server.send("spans", known_records.spans(now))
        yield server


@pytest.fixture
def page(browser: Browser, known: Server) -> Iterator[Page]:
    """A fresh page on the known records."""
    with watched(browser, known) as page:
        yield page


@contextlib.contextmanager
def watched(browser: Browser, server: Server, **settings: Any) -> Iterator[Page]:
    """Give a fresh page; fail if it logs an error, breaks its content policy or asks another origin."""
    context = browser.new_context(
        **{"viewport": {"width": 1440, "height": 900}, **settings},
        timezone_id="UTC",
        locale="en-GB",
        base_url=server.address,
    )
    context.set_default_timeout(WAIT_MS)
    page = context.new_page()
    wrong: list[str] = []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("console", lambda message: wrong.append(message.text) if _is_wrong(message) else None)
    page.on(
        "request", lambda request: wrong.append(request.url) if _is_elsewhere(request.url, server.address) else None
    )
    yield page
    context.close()
    assert not wrong


def _is_wrong(message: Any) -> bool:
    # A 4xx or a cut connection is logged by the browser itself; the page shows those, which the tests look at.
    return message.type == "error" and "Failed to load resource" not in message.text and "net::ERR" not in message.text


def _is_elsewhere(url: str, address: str) -> bool:
    return not url.startswith((address, "data:", "blob:"))
