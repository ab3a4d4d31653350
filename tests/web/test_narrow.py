"""The pages on a screen of a telephone's width: nothing is wider than it, everything can be reached."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.day import day
from tests.web.conftest import watched

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Page

    from tests.server import Server

pytestmark = pytest.mark.browser

PATHS = (
    *("/", "/explore", "/llm", "/security", "/security?show=rules", "/security?show=coverage"),
    *("/quality", "/training", "/incidents", "/dashboards?name=llm", "/alerts"),
)
# Whatever reaches beyond the screen without a part of the page that scrolls around it.
BEYOND = """() => {
  const held = ['auto', 'scroll', 'hidden'];
  const scrolls = (e) => e && (held.includes(getComputedStyle(e).overflowX) || scrolls(e.parentElement));
  const beyond = (e) => e.getClientRects().length && e.getBoundingClientRect().right > innerWidth + 1;
  return [...document.querySelectorAll('#root *')]
    .filter((e) => beyond(e) && !scrolls(e.parentElement))
    .map((e) => `${e.tagName}.${e.className}`);
}"""


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with day(tmp_path_factory.mktemp("narrow") / "data") as server:
        yield server


@pytest.fixture
def page(browser: Browser, played: Server) -> Iterator[Page]:
    with watched(browser, played, viewport={"width": 390, "height": 800}) as page:
        yield page


@pytest.mark.parametrize("path", PATHS)
def test_a_page_is_no_wider_than_the_screen(page: Page, path: str) -> None:
    page.goto(path)
    page.get_by_role("heading", level=1).wait_for()
    page.wait_for_load_state("networkidle")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert page.evaluate(BEYOND) == []


def test_the_pages_are_named_at_the_foot(page: Page) -> None:
    page.goto("/")
    pages = page.get_by_role("navigation", name="Pages")
    box = pages.bounding_box()
    assert box is not None
    assert box["y"] > 600
    pages.get_by_role("link", name="Alerts").click()
    page.get_by_role("heading", level=1, name="Alerts").wait_for()


def test_a_finding_is_read_below_the_list(page: Page) -> None:
    page.goto("/security?from=now-3h&of=all")
    listed = page.get_by_test_id("findings").get_by_role("button").first.bounding_box()
    opened = page.get_by_test_id("finding").bounding_box()
    assert listed is not None
    assert opened is not None
    assert opened["y"] > listed["y"]
    assert opened["width"] > 380
