"""The Explore page in a real browser, on a running treering with the known records.

What a test needs that no healthy server does (slow, broken, a gap in the tail) is routed in the test itself.
"""

from __future__ import annotations

import json
import re
import tomllib
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.server import running
from tests.web.known_records import BIG, COUNT, FAILED_AT, HOSTILE, HOSTILE_AT, LONG_AT, TRACE, instant, logs

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import Browser, Page, Route

    from tests.server import Server

pytestmark = pytest.mark.browser

TOTAL = f"{COUNT:,} records"
KNOWN = logs(datetime.now(UTC))


def reference(index: int) -> str:
    """Return the reference of the known log record: they were stored oldest first."""
    return f"logs/{COUNT - 1 - index}"


def rows(page: Page) -> Any:
    return page.get_by_test_id("records").locator("[data-ref]")


def services(page: Page) -> list[str]:
    rows(page).first.wait_for()
    return rows(page).locator("[role=gridcell]:nth-child(3)").all_inner_texts()


def opened(page: Page, path: str = "/explore") -> Page:
    page.goto(path)
    rows(page).first.wait_for()
    return page


def write(page: Page, query: str) -> None:
    page.keyboard.press("Escape")
    page.keyboard.press("/")
    page.keyboard.press("ControlOrMeta+a")
    page.keyboard.type(query)
    page.keyboard.press("ControlOrMeta+Enter")


def total(page: Page, text: str) -> None:
    page.get_by_test_id("total").filter(has_text=re.compile(f"^{re.escape(text)}$")).wait_for()


def answer(status: int, body: Any) -> Callable[[Route], None]:
    return lambda route: route.fulfill(status=status, content_type="application/json", body=json.dumps(body))


def test_the_first_look_shows_records_counts_and_fields(page: Page) -> None:
    opened(page)
    total(page, TOTAL)
    assert page.get_by_test_id("histogram").locator("canvas").count() == 1
    assert page.get_by_role("list", name="Top values of severityText").get_by_text("ERROR").is_visible()
    assert "from=now-1h" in page.url


def test_a_query_typed_and_run_filters_and_is_in_the_url(page: Page) -> None:
    opened(page)
    write(page, 'serviceName="weaviate"')
    page.wait_for_url("**/explore?q=serviceName*")
    total(page, f"{sum(record['serviceName'] == 'weaviate' for record in KNOWN)} records")
    assert set(services(page)) == {"weaviate"}
    page.go_back()
    total(page, TOTAL)


def test_completion_comes_from_the_server_and_is_taken_with_tab(page: Page) -> None:
    found = {"from": 12, "to": 26, "suggestions": [{"text": "attributes.tenant.id", "kind": "field", "detail": "text"}]}
    page.route("**/api/complete", answer(200, found))
    opened(page)
    page.keyboard.press("/")
    page.keyboard.type("attributes.ten")
    page.get_by_role("option", name=re.compile("attributes.tenant.id")).wait_for()
    page.keyboard.press("Tab")
    assert page.get_by_role("textbox", name="Query").inner_text() == "attributes.tenant.id"


def test_an_error_is_marked_where_it_is(page: Page) -> None:
    opened(page)
    write(page, "error | stat count()")
    fault = page.get_by_test_id("fault")
    fault.wait_for()
    assert "unknown command 'stat'" in fault.inner_text()
    assert "did you mean 'stats'?" in fault.inner_text()
    line, carets = (fault.locator("pre").text_content() or "").split("\n")
    assert line[carets.index("^") : carets.rindex("^") + 1] == "stat"
    assert page.locator(".cm-fault").inner_text() == "stat"


def test_earlier_queries_come_back_with_arrow_up(page: Page) -> None:
    opened(page)
    write(page, "loss")
    page.wait_for_url("**/explore?q=loss*")
    write(page, "upstream")
    page.wait_for_url("**/explore?q=upstream*")
    box = page.get_by_role("textbox", name="Query")
    box.focus()
    page.keyboard.press("ArrowUp")
    page.keyboard.press("ArrowUp")
    assert box.inner_text() == "loss"
    page.keyboard.press("ArrowDown")
    assert box.inner_text() == "upstream"


def test_a_query_is_kept_and_taken_along(page: Page, known: Server) -> None:
    opened(page)
    write(page, "serviceName=weaviate")
    page.wait_for_url("**q=serviceName*")
    page.get_by_role("button", name="Share").press("Enter")
    panel = page.get_by_role("dialog", name="Share")
    command = panel.get_by_role("region", name="Command line").locator("pre")
    command.get_by_text("--data").wait_for()
    asked = "treering query 'source=logs serviceName=weaviate' --from 'now-1h'"
    assert command.inner_text() == f"{asked} --data {known.data}"
    alert = panel.get_by_role("region", name="Alert").locator("pre").inner_text()
    assert tomllib.loads(alert)["alerts"]["rules"][0]["query"].endswith("| stats count() as records")
    page.keyboard.press("Escape")
    panel.wait_for(state="detached")
    page.get_by_role("button", name="Kept and earlier queries").press("Enter")
    page.get_by_role("button", name="Keep the query that is shown").press("Enter")
    page.keyboard.press("Escape")
    opened(page)
    page.keyboard.press("ControlOrMeta+k")
    page.keyboard.type("weaviate")
    page.get_by_role("option").filter(has_text="kept").click()
    page.wait_for_url("**q=serviceName*")


def test_a_click_on_a_value_includes_alt_click_excludes(page: Page) -> None:
    opened(page)
    value = page.get_by_role("list", name="Top values of serviceName").get_by_text("rag", exact=True)
    value.click()
    total(page, f"{sum(record['serviceName'] == 'rag' for record in KNOWN)} records")
    assert set(services(page)) == {"rag"}
    value.click(modifiers=["Alt"])
    total(page, f"{sum(record['serviceName'] != 'rag' for record in KNOWN):,} records")
    assert "rag" not in services(page)


def test_fields_are_found_by_name_and_become_columns(page: Page) -> None:
    opened(page)
    page.get_by_role("searchbox", name="Find a field").fill("tenant")
    page.get_by_role("button", name="Add column attributes.tenant.id").click()
    page.get_by_role("columnheader", name="attributes.tenant.id").wait_for()
    assert rows(page).first.get_by_text("tenant-0").is_visible()
    assert "cols=serviceName%2Cattributes.tenant.id%2Cmessage" in page.url


def test_the_list_goes_on_while_one_scrolls(page: Page) -> None:
    opened(page)
    grid = page.get_by_test_id("records")
    for _ in range(60):
        grid.evaluate("box => box.scrollTo(0, box.scrollHeight)")
        page.wait_for_timeout(50)
        if page.get_by_text(f"End: {TOTAL}").is_visible():
            break
    grid.evaluate("box => box.scrollTo(0, box.scrollHeight)")
    rows(page).and_(page.locator('[data-ref="logs/0"]')).wait_for()
    assert rows(page).count() < 120, "only what is on the screen is in the document"


def test_dragging_over_the_histogram_zooms(page: Page) -> None:
    opened(page)
    box = page.get_by_test_id("histogram").locator(".u-over").bounding_box()
    assert box
    page.mouse.move(box["x"] + box["width"] * 0.6, box["y"] + 20)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.8, box["y"] + 20, steps=5)
    page.mouse.up()
    page.wait_for_url(re.compile(r"from=\d{4}-\d\d-\d\dT.*to=\d{4}"))
    page.get_by_role("button", name="Zoom out").click()
    page.wait_for_url(re.compile(r"from=\d{4}"))


def test_the_time_picker_takes_presets_and_exact_times(page: Page) -> None:
    opened(page)
    page.keyboard.press("d")
    page.get_by_role("button", name="last 15 minutes").click()
    page.wait_for_url("**from=now-15m*")
    page.keyboard.press("d")
    page.get_by_role("textbox", name="From").fill("nonsense")
    page.keyboard.press("Enter")
    page.get_by_text("From is no time").wait_for()
    page.get_by_role("textbox", name="From").fill("2026-01-02 03:04")
    page.keyboard.press("Enter")
    page.wait_for_url("**from=2026-01-02T03%3A04%3A00.000Z*")


def test_a_record_opens_by_keyboard_and_closes(page: Page) -> None:
    opened(page)
    page.keyboard.press("j")
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    drawer = page.get_by_test_id("drawer")
    drawer.get_by_text("retrieved 8 documents").wait_for()
    assert f"open=logs%2F{COUNT - 2}" in page.url
    page.keyboard.press("j")
    drawer.get_by_text("Avg prompt throughput").wait_for()
    page.keyboard.press("c")
    drawer.get_by_role("list", name=re.compile("around this one")).locator(".here").wait_for()
    page.keyboard.press("Escape")
    drawer.wait_for(state="detached")


def test_the_drawer_filters_on_a_value_and_excludes_one(page: Page) -> None:
    opened(page, f"/explore?open={reference(FAILED_AT)}")
    drawer = page.get_by_test_id("drawer")
    drawer.get_by_role("button", name="Filter on this: attributes.http.response.status_code").focus()
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile(r"q=attributes\.http\.response\.status_code%3D529"))
    total(page, f"{sum(record['severityText'] == 'ERROR' for record in KNOWN)} records")
    page.goto(f"/explore?open={reference(FAILED_AT)}")
    drawer.get_by_role("button", name="Exclude this: severityText").focus()
    page.keyboard.press("Enter")
    total(page, f"{sum(record['severityText'] != 'ERROR' for record in KNOWN):,} records")


def test_log_text_is_text_and_long_integers_keep_their_digits(page: Page) -> None:
    opened(page, f"/explore?open={reference(HOSTILE_AT)}&tab=json")
    page.get_by_test_id("json").wait_for()
    assert str(BIG) in (page.get_by_test_id("json").text_content() or "")
    page.get_by_role("tab", name="Fields").click()
    drawer = page.get_by_test_id("drawer")
    assert drawer.get_by_text(str(BIG)).is_visible()
    assert drawer.get_by_text(HOSTILE).is_visible()
    assert page.locator("main img").count() == 0
    assert page.title() == "Explore · treering"


def test_long_texts_are_cut_until_asked_for(page: Page) -> None:
    opened(page, f"/explore?open={reference(LONG_AT)}")
    body = page.get_by_test_id("drawer").locator("tr", has_text="Traceback")
    assert len(body.inner_text()) < 2000
    body.get_by_role("button", name=re.compile("show all 40,")).click()
    assert len(body.inner_text()) > 40_000
    assert max(len(text) for text in rows(page).all_inner_texts()) < 1000


def test_a_trace_opens_as_tree_and_waterfall(page: Page) -> None:
    opened(page)
    page.keyboard.press("j")
    page.keyboard.press("t")
    tree = page.get_by_role("tree", name="Spans")
    tree.get_by_role("treeitem").nth(6).wait_for()
    head = page.get_by_test_id("trace").locator("header")
    for text in ("7 spans", "3 services", "4.21 s", "6,750 tokens", "1 error"):
        assert head.get_by_text(text).is_visible(), text
    detail = page.get_by_test_id("span")
    assert "OverloadedError" in detail.inner_text(), "the failed span is shown first"
    page.keyboard.press("ArrowUp")
    page.keyboard.press("ArrowUp")
    page.wait_for_url("**span=0000000000000005*")
    assert "You have 25 days of paid leave." in detail.inner_text()
    assert "3,120 in, 214 out" in detail.inner_text()
    tree.get_by_role("button", name="Fold invoke_agent handbook").click()
    assert tree.get_by_role("treeitem").count() == 2
    page.get_by_role("tab", name="Logs 7").click()
    assert page.get_by_role("list", name="Records of this trace").get_by_role("listitem").count() == 7
    page.keyboard.press("Escape")
    rows(page).first.wait_for()


def test_a_query_with_stats_answers_as_a_table(page: Page) -> None:
    opened(page)
    write(page, "| stats count(), max(attributes.sequence) by serviceName")
    total(page, "4 rows")
    table = page.get_by_test_id("result")
    assert table.get_by_text(str(BIG)).count() == 1
    table.get_by_role("button", name="count()").click()
    counts = [int(text) for text in table.locator("tbody td:first-child").all_inner_texts()]
    assert counts == sorted(counts, reverse=True)
    page.get_by_role("button", name="Bars").click()
    page.get_by_test_id("chart").get_by_text("weaviate").wait_for()
    with page.expect_download() as download:
        page.get_by_role("button", name="CSV").click()
    assert download.value.path().read_bytes().startswith(b"count(),max(attributes.sequence),serviceName\r\n")


def test_a_timechart_is_drawn(page: Page) -> None:
    page.goto("/explore?q=%7C+timechart+span%3D1m+count()+by+severityText")
    chart = page.get_by_test_id("chart")
    chart.locator("canvas").wait_for()
    assert {"ERROR", "WARN", "INFO", "DEBUG"} <= set(chart.locator("li").all_inner_texts())
    page.get_by_role("button", name="Lines").click()
    page.wait_for_url("**view=lines*")


def test_live_tail_shows_what_arrives(page: Page, known: Server) -> None:
    known.send("tailed", [{"@timestamp": instant(datetime.now(UTC)), "body": "ringfence before"}])
    page.goto("/explore?q=ringfence&stream=tailed&live=1")
    bar = page.get_by_test_id("live")
    bar.get_by_text("Live").wait_for()
    known.send("tailed", [{"@timestamp": instant(datetime.now(UTC)), "body": "ringfence last"}])
    rows(page).get_by_text("ringfence last").wait_for()
    assert rows(page).count() == 1, "only what came while it was watched"
    bar.get_by_role("button", name="Pause").click()
    known.send("tailed", [{"@timestamp": instant(datetime.now(UTC)), "body": "ringfence held"}])
    bar.get_by_role("button", name="Show 1 new").click()
    rows(page).get_by_text("ringfence held").wait_for()


def test_live_tail_says_what_it_missed(page: Page) -> None:
    lines = [
        {"ref": f"logs/9{n}", "stream": "logs", "time": instant(datetime.now(UTC)), "level": "info", "record": {}}
        | {"message": f"fresh ring {n}"}
        for n in range(4)
    ]
    events = (("records", lines[:2]), ("gap", {"dropped": 37}), ("records", lines[2:]))
    body = "".join(f"event: {name}\ndata: {json.dumps(data)}\n\n" for name, data in events)
    asked: list[str] = []

    def once(route: Route) -> None:
        asked.append(route.request.url)
        if len(asked) > 1:
            route.abort()
        else:
            route.fulfill(status=200, content_type="text/event-stream", body=body)

    page.route("**/api/tail?**", once)
    page.goto("/explore?live=1")
    rows(page).first.get_by_text("fresh ring 3").wait_for()
    assert page.get_by_text("37 records not shown").is_visible()
    assert "4 arrived" in page.get_by_test_id("live").inner_text()
    assert "37 not shown" in page.get_by_test_id("live").inner_text()


def test_the_stream_can_be_chosen(page: Page) -> None:
    opened(page)
    page.get_by_label("Stream").select_option("spans")
    total(page, "7 records")
    page.get_by_role("columnheader", name="duration").wait_for()
    assert rows(page).get_by_text("4.21 s").is_visible()
    page.keyboard.press("g")
    page.keyboard.press("l")
    total(page, TOTAL)


def test_palette_and_help_open_by_key(page: Page) -> None:
    opened(page)
    page.keyboard.press("ControlOrMeta+k")
    page.keyboard.type(TRACE)
    page.keyboard.press("Enter")
    page.get_by_role("tree", name="Spans").wait_for()
    page.keyboard.press("Escape")
    page.keyboard.press("?")
    page.get_by_role("dialog", name="Help").get_by_text("command palette").wait_for()
    page.keyboard.press("Escape")
    page.get_by_role("dialog", name="Help").wait_for(state="detached")


def test_the_theme_follows_the_system_and_can_be_chosen(page: Page) -> None:
    ground = "() => getComputedStyle(document.body).backgroundColor"
    opened(page)
    light = page.evaluate(ground)
    page.emulate_media(color_scheme="dark")
    assert page.evaluate(ground) != light
    page.get_by_role("button", name="Light colours").click()
    assert page.evaluate(ground) == light
    page.reload()
    assert page.evaluate(ground) == light


def test_an_empty_store_says_how_to_send(browser: Browser, tmp_path: Path) -> None:
    with running(tmp_path / "empty") as server:
        page = browser.new_page()
        page.goto(f"{server.address}/explore")
        steps = page.get_by_test_id("first-steps")
        steps.wait_for()
        assert f"curl -s {server.address}/v1/logs" in steps.inner_text()
        assert steps.get_by_role("button", name=re.compile("^Copy: ")).count() == 4
        page.close()


def test_no_match_offers_a_way_on(page: Page) -> None:
    page.goto("/explore?q=zebra")
    page.get_by_test_id("no-match").get_by_role("button", name="Clear the query").click()
    total(page, TOTAL)


def test_a_broken_server_is_said_and_can_be_asked_again(page: Page) -> None:
    page.route(
        "**/api/search", answer(500, {"error": {"type": "Bug", "message": "disk is on fire", "hint": "see the log"}})
    )
    page.goto("/explore")
    alert = page.get_by_role("alert").filter(has_text="disk is on fire")
    alert.wait_for()
    page.unroute("**/api/search")
    alert.get_by_role("button", name="Try again").click()
    rows(page).first.wait_for()


def test_a_slow_server_is_said(page: Page) -> None:
    page.route("**/api/search", lambda _route: None)
    page.goto("/explore")
    page.get_by_text("This takes longer than usual").wait_for()
    page.unroute_all(behavior="ignoreErrors")


# Relative luminance and contrast ratio as WCAG 2.2 defines them, over every pair of text and ground that the page uses.
CONTRAST = """() => {
  const part = (v) => (v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
  const luminance = ([r, g, b]) => 0.2126 * part(r) + 0.7152 * part(g) + 0.0722 * part(b);
  const read = (name) => {
    const probe = document.createElement('i');
    probe.style.color = `var(--${name})`;
    document.body.append(probe);
    const colour = getComputedStyle(probe).color.match(/[\\d.]+/g).slice(0, 3).map(Number);
    probe.remove();
    return colour;
  };
  const texts = ['ink', 'ink-2', 'ink-3', 'accent', 'error', 'fatal', 'warn', 'info', 'debug', 'trace',
    'syntax-field', 'syntax-function', 'syntax-string', 'syntax-number'];
  const grounds = ['ground', 'surface', 'raised', 'hover', 'accent-soft'];
  const others = [['accent-ink', 'accent'], ['error', 'error-soft'], ['ink-2', 'error-soft'], ['warn', 'warn-soft']];
  return texts.flatMap((text) => grounds.map((ground) => [text, ground])).concat(others).map(([text, ground]) => {
    const [light, dark] = [luminance(read(text)), luminance(read(ground))].sort((x, y) => y - x);
    return [text, ground, (light + 0.05) / (dark + 0.05)];
  }).filter(([, , ratio]) => !(ratio >= 4.5));
}"""
NAMELESS = """() => [...document.querySelectorAll('button, input, select, [role=tab], [role=separator]')]
  .filter((e) => !(e.getAttribute('aria-label') || e.textContent.trim() || e.labels?.length))
  .map((e) => e.outerHTML)"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_has_the_contrast_that_wcag_aa_asks(page: Page, scheme: Any) -> None:
    page.emulate_media(color_scheme=scheme)
    opened(page)
    assert page.evaluate(CONTRAST) == []


def test_every_control_has_a_name(page: Page) -> None:
    opened(page, f"/explore?open={reference(FAILED_AT)}")
    page.get_by_test_id("drawer").get_by_text("rag").first.wait_for()
    assert page.evaluate(NAMELESS) == []
