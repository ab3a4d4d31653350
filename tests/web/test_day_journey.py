"""The analyst's day on the known day, hour by hour, with nothing but the keyboard.

With `TREERING_SCREENSHOTS=1` it plays a whole day instead of a small one and leaves the pictures of `docs/`.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.day import DAYS, day
from tests.web.conftest import watched

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Page

    from tests.server import Server

pytestmark = [pytest.mark.browser, pytest.mark.slow]

TAKING = bool(os.environ.get("TREERING_SCREENSHOTS"))
DOCS = Path(__file__).resolve().parents[2] / "docs"
RANGE = "24h" if TAKING else "3h"


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    length, least = (1.0, 75_000) if TAKING else (DAYS, 5000)
    with day(tmp_path_factory.mktemp("journey") / "data", days=length, least=least) as server:
        yield server


@pytest.fixture
def page(browser: Browser, played: Server) -> Iterator[Page]:
    with watched(browser, played) as page:
        page.goto(f"/?from=now-{'6h' if TAKING else '3h'}")
        heading(page, "Overview")
        yield page


def picture(page: Page, name: str) -> None:
    """Leave a picture for the documents where it is asked for."""
    if TAKING:
        page.wait_for_load_state("networkidle")
        keys(page, "r")  # what was asked a second time shows how long an answer takes on a warm store
        page.wait_for_timeout(300)
        page.wait_for_load_state("networkidle")
        page.wait_for_timeout(300)
        page.screenshot(path=DOCS / f"{name}.png")


def heading(page: Page, title: str) -> None:
    page.get_by_role("heading", level=1, name=title, exact=True).wait_for()


def keys(page: Page, *names: str) -> None:
    for name in names:
        page.keyboard.press(name)


def go(page: Page, letter: str, title: str) -> None:
    """Leave whatever has the focus, then `g` and the page's letter."""
    page.locator("body").press("g")
    keys(page, letter)
    heading(page, title)


def card(page: Page, title: str) -> Any:
    return page.get_by_role("region", name=title, exact=True)


def follow(link: Any) -> None:
    link.focus()
    link.press("Enter")


def command(page: Page, words: str, option: str) -> None:
    keys(page, "ControlOrMeta+k")
    page.keyboard.type(words)
    page.get_by_role("option", name=re.compile(option)).first.wait_for()
    keys(page, "Enter")


def test_nine_o_clock_what_is_slow_and_what_fails(page: Page) -> None:
    card(page, "Open incidents").get_by_role("link").first.wait_for()
    card(page, "Services").get_by_role("table").get_by_text("rag-service").wait_for()
    picture(page, "overview")
    go(page, "c", "LLM")
    command(page, f"last {RANGE[:-1]} hours", f"Time: last {RANGE[:-1]} hours")
    page.wait_for_url(f"**from=now-{RANGE}*")
    card(page, "Errors").get_by_text("anthropic.RateLimitError").wait_for()
    card(page, "Cost by model").get_by_test_id("plot").wait_for()
    picture(page, "llm")
    failed = page.get_by_role("checkbox", name="failed only")
    failed.focus()
    keys(page, "Space")
    page.wait_for_url("**failed=1*")
    states = card(page, "Newest calls").locator("td:last-child")
    states.filter(has_not=page.locator(".bad")).first.wait_for(state="detached")
    states.locator(".bad").first.wait_for()
    failed.blur()
    keys(page, "j", "Enter")
    call = page.get_by_test_id("conversation")
    call.locator("dd.bad").wait_for()
    follow(call.get_by_role("link", name="Trace"))
    page.get_by_test_id("trace").get_by_test_id("span").wait_for()


def test_half_past_ten_who_attacks_and_what_did_it_reach(page: Page) -> None:
    go(page, "f", "Security")
    command(page, f"last {RANGE[:-1]} hours", f"Time: last {RANGE[:-1]} hours")
    detector = page.get_by_label("Detector")
    detector.locator("option[value=prompts]").wait_for(state="attached")
    detector.focus()
    page.keyboard.type("prompts")
    page.wait_for_url("**detector=prompts*")
    detector.blur()
    finding = page.get_by_test_id("finding")
    finding.locator("mark").first.wait_for()
    rows = page.get_by_test_id("findings").get_by_role("button")
    for _ in range(rows.count()):
        if "document" in finding.locator(".chips").first.inner_text():
            break
        keys(page, "j")
        page.wait_for_timeout(100)
    marked = finding.locator("mark").first.inner_text()
    assert len(marked) > 3
    assert "OWASP" in finding.inner_text()
    picture(page, "security")
    follow(finding.get_by_role("link", name="trace", exact=True).first)
    page.get_by_test_id("trace").get_by_test_id("span").wait_for()
    page.go_back()
    follow(finding.get_by_role("link", name=re.compile("^user ")).first)
    heading(page, "Explore")
    page.get_by_test_id("records").locator("[data-ref]").first.wait_for()


def test_noon_what_drifted_and_who_spends(page: Page) -> None:
    go(page, "q", "Quality and drift")
    command(page, f"last {RANGE[:-1]} hours", f"Time: last {RANGE[:-1]} hours")
    card(page, "Which model answered").get_by_text(re.compile("^mistral-small")).wait_for()
    card(page, "Scores of retrieval").get_by_text("PeopleHandbook").wait_for()
    picture(page, "quality")
    go(page, "c", "LLM")
    by = card(page, "Who uses most tokens")
    follow(by.get_by_role("button", name="Conversation", exact=True))
    dearest = by.get_by_role("table").get_by_role("button", name=re.compile("^conv-")).first
    name = dearest.inner_text()
    follow(dearest)
    page.wait_for_url(f"**conversation={name}*")
    card(page, "Newest calls").get_by_text("rag-service").first.wait_for(state="detached")
    card(page, "Newest calls").get_by_role("row").nth(5).wait_for()
    page.locator("body").press("j")
    keys(page, "Enter")
    call = page.get_by_test_id("conversation")
    call.get_by_role("heading", name="Tools called in this trace").wait_for()
    call.get_by_text("search_invoices").first.wait_for()
    picture(page, "call")


def test_two_o_clock_who_read_what_was_not_theirs(page: Page) -> None:
    go(page, "f", "Security")
    command(page, f"last {RANGE[:-1]} hours", f"Time: last {RANGE[:-1]} hours")
    follow(page.get_by_role("button", name="Who reads what"))
    table = page.get_by_role("table", name="attributes.user.id by collection")
    stranger = table.get_by_role("row", name=re.compile("^vintra-connector"))
    stranger.locator("td.refused").first.wait_for()
    picture(page, "access")
    follow(stranger.get_by_role("link").nth(1))
    heading(page, "Explore")
    page.get_by_test_id("records").locator("[data-ref]").first.wait_for()
    keys(page, "j", "Enter")
    page.get_by_test_id("drawer").get_by_text("vintra-connector").first.wait_for()


def test_half_past_three_the_incident_from_end_to_end(page: Page, played: Server) -> None:
    go(page, "i", "Incidents")
    follow(page.get_by_role("group", name="State").get_by_role("button", name="All"))
    page.wait_for_url("**state=all*")
    page.locator("[aria-pressed=true]").blur()
    rows = page.get_by_test_id("incidents").get_by_role("button")
    rows.first.wait_for()
    case = page.get_by_test_id("incident")
    for _ in range(rows.count()):
        keys(page, "j")
        case.get_by_role("heading", level=2).wait_for()
        if "carries data out" in page.locator("[data-testid=incidents] [aria-current=true]").inner_text():
            break
    case.get_by_role("list", name="Timeline").get_by_role("listitem").first.wait_for()
    case.get_by_role("list", name="Stages").wait_for()
    picture(page, "incidents")
    keys(page, "6")
    case.get_by_test_id("entity-graph").get_by_role("link").first.wait_for()
    picture(page, "entities")
    keys(page, "2")
    case.locator("article.excerpt mark").first.wait_for()
    follow(case.get_by_role("button", name=re.compile("owns it|^owner")))
    page.keyboard.type("ada")
    keys(page, "Enter")
    case.get_by_role("button", name="owner ada").wait_for()
    page.locator("body").press("4")
    case.get_by_role("textbox", name="Comment").focus()
    page.keyboard.type("the article is out of the index")
    keys(page, "ControlOrMeta+Enter")
    case.get_by_role("list", name="History").get_by_text("the article is out of the index").wait_for()
    keys(page, "Tab", "3")
    steps = case.get_by_test_id("playbook").get_by_role("listitem")
    steps.get_by_role("table").first.wait_for()
    follow(steps.get_by_role("button", name="Done").first)
    steps.get_by_role("button", name="Open again").first.wait_for()
    page.locator("body").press("5")
    written = case.get_by_test_id("markdown")
    written.get_by_role("heading", name="Timeline").wait_for()
    assert "ada" in written.inner_text()
    picture(page, "postmortem")
    name = page.url.partition("incident=")[2].partition("&")[0]
    assert played.get(f"/api/incidents/{name}")["owner"] == "ada"


def test_five_o_clock_the_vector_databases_own_logs(page: Page) -> None:
    go(page, "d", "Dashboards")
    tiles = page.get_by_role("list", name="Dashboards").get_by_role("button")
    tiles.first.wait_for()
    names = [text.split("\n")[0] for text in tiles.all_inner_texts()]
    keys(page, *["j"] * names.index("RAG"), "Enter")
    heading(page, "RAG")
    command(page, f"last {RANGE[:-1]} hours", f"Time: last {RANGE[:-1]} hours")
    card(page, "Score of the first document").get_by_test_id("plot").wait_for()
    card(page, "Latency of the vector database").get_by_test_id("plot").wait_for()
    picture(page, "dashboard")
    go(page, "e", "Explore")
    keys(page, "/")
    page.keyboard.type("serviceName=weaviate denied | stats count() by attributes.user.id")
    keys(page, "ControlOrMeta+Enter")
    page.get_by_test_id("result").get_by_text("vintra-connector").wait_for()


def test_three_in_the_night_which_rank_failed_first(page: Page) -> None:
    go(page, "t", "Training run")
    command(page, f"last {RANGE[:-1]} hours", f"Time: last {RANGE[:-1]} hours")
    first = page.get_by_test_id("first-failure")
    first.get_by_text(re.compile("rank 2")).first.wait_for()
    card(page, "Loss").get_by_test_id("plot").wait_for()
    picture(page, "training")
    follow(first.get_by_role("link", name="its errors"))
    heading(page, "Explore")
    page.get_by_test_id("records").locator("[data-ref]").first.wait_for()


def test_explore_as_the_readme_shows_it(page: Page) -> None:
    page.goto(f"/explore?q=error&from=now-{RANGE}")
    page.get_by_test_id("records").locator("[data-ref]").first.wait_for()
    page.get_by_test_id("histogram").wait_for()
    picture(page, "explore")
