"""The pages in a real browser, by keyboard, on a small known day with findings in it."""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from tests.day import day
from tests.server import running, treering
from tests.web import known_findings
from tests.web.conftest import watched
from tests.web.test_explore_page import CONTRAST, NAMELESS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Browser, Page

    from tests.server import Server

pytestmark = pytest.mark.browser

SITES = {
    "o": ("/", "Overview"),
    "e": ("/explore", "Explore"),
    "c": ("/llm", "LLM"),
    "f": ("/security", "Security"),
    "q": ("/quality", "Quality and drift"),
    "t": ("/training", "Training run"),
    "i": ("/incidents", "Incidents"),
    "d": ("/dashboards", "Dashboards"),
    "a": ("/alerts", "Alerts"),
}
CALLS = (
    "source=spans | where attributes.gen_ai.operation.name = 'chat' and serviceName = 'rag-service' and status.code = 0"
)


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with day(tmp_path_factory.mktemp("pages") / "data") as server:
        call = server.post("/api/search", {"query": CALLS, "size": 1})["records"][0]
        now = time.time_ns() - 5 * known_findings.MINUTE
        found = [known_findings.about(call), known_findings.drift(now), known_findings.latency(now)]
        found += [known_findings.groundedness(now - place * 10**9) for place in range(3)]
        server.send("findings", known_findings.records(found))
        yield server


@pytest.fixture
def page(browser: Browser, played: Server) -> Iterator[Page]:
    with watched(browser, played) as page:
        yield page


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running(tmp_path_factory.mktemp("empty") / "data") as server:
        yield server


def heading(page: Page, title: str) -> Any:
    found = page.get_by_role("heading", level=1, name=title, exact=True)
    found.wait_for()
    return found


def keys(page: Page, *names: str) -> None:
    for name in names:
        page.keyboard.press(name)


def card(page: Page, title: str) -> Any:
    return page.get_by_role("region", name=title, exact=True)


def test_g_and_a_letter_lead_to_every_page(page: Page) -> None:
    page.goto("/")
    heading(page, "Overview")
    for letter, (path, title) in SITES.items():
        keys(page, "g", letter)
        heading(page, title)
        assert page.url.partition("?")[0].endswith(path)
        assert page.locator("nav a[aria-current=page]").count() == 1
    page.go_back()
    heading(page, "Dashboards")


def test_the_palette_lists_the_pages(page: Page) -> None:
    page.goto("/quality")
    heading(page, "Quality and drift")
    keys(page, "ControlOrMeta+k")
    page.keyboard.type("training")
    page.get_by_role("option", name=re.compile("^Training")).wait_for()
    keys(page, "Enter")
    heading(page, "Training run")


def test_an_old_link_still_leads_to_explore(page: Page) -> None:
    page.goto("/?q=source%3Dspans&from=now-3h")
    heading(page, "Explore")
    page.get_by_test_id("records").locator("[data-ref]").first.wait_for()


def test_the_overview_says_what_needs_me(page: Page) -> None:
    page.goto("/")
    findings = card(page, "Findings to judge")
    findings.get_by_test_id("new-findings").get_by_role("link").first.wait_for()
    services = card(page, "Services").get_by_role("table")
    services.get_by_text("rag-service").wait_for()
    assert services.get_by_role("row").count() >= 4
    card(page, "Ingest").get_by_text("Every received record is accounted for").wait_for()
    assert card(page, "Open incidents").get_by_role("link").count() > 1
    newest = findings.get_by_test_id("new-findings").get_by_role("link").first
    title = newest.locator("strong").inner_text()
    newest.press("Enter")
    page.get_by_test_id("finding").get_by_role("heading", name=title).wait_for()


def test_llm_shows_figures_and_filters_them(page: Page) -> None:
    page.goto("/llm?from=now-3h")
    figures = page.get_by_label("Figures of the calls")
    figures.get_by_text(re.compile(r"^[\d,.k]+$")).first.wait_for()
    card(page, "Latency").get_by_test_id("plot").wait_for()
    page.get_by_label("Model", exact=True).select_option("gpt-4.1")
    page.wait_for_url("**model=gpt-4.1*")
    table = card(page, "Who uses most tokens").get_by_role("table")
    table.get_by_text("gpt-4.1-mini").wait_for(state="hidden")
    assert table.get_by_role("button").all_inner_texts() == ["gpt-4.1"]
    page.reload()
    page.get_by_label("Model", exact=True).locator("option:checked").filter(has_text="gpt-4.1").wait_for(
        state="attached"
    )


def test_a_card_leads_to_its_records(page: Page) -> None:
    page.goto("/llm?from=now-3h&service=agent-runner")
    link = card(page, "Newest calls").get_by_role("link", name="Newest calls: open in Explore")
    link.focus()
    keys(page, "Enter")
    heading(page, "Explore")
    rows = page.get_by_test_id("records").locator("[data-ref]")
    rows.first.wait_for()
    assert set(rows.locator("[role=gridcell]:nth-child(3)").all_inner_texts()) == {"agent-runner"}


def test_a_call_is_a_conversation_with_its_documents(page: Page) -> None:
    page.goto("/llm?from=now-3h&service=rag-service")
    card(page, "Newest calls").get_by_role("row").nth(2).wait_for()
    keys(page, "j", "j", "Enter")
    said = page.get_by_test_id("conversation")
    said.get_by_role("heading", name="Retrieved documents").wait_for()
    roles = said.get_by_label("Messages").get_by_role("heading").all_inner_texts()
    assert roles[:2] == ["system", "user"]
    assert roles[-1] == "assistant"
    assert re.fullmatch(r"\d\.\d{3}", said.locator("summary .number").first.inner_text())
    opened = page.url
    keys(page, "j", "Enter")
    page.wait_for_url(lambda url: url != opened)
    keys(page, "Escape")
    said.wait_for(state="hidden")
    assert "call=" not in page.url


def test_what_was_found_is_marked_in_the_conversation(page: Page, played: Server) -> None:
    call = played.post("/api/search", {"query": CALLS, "size": 1})["records"][0]
    found = played.post("/api/search", {"query": "source=findings | where finding.rule = 'ignore-previous'", "size": 1})
    evidence = found["records"][0]["record"]["evidence"][0]
    page.goto(f"/llm?from=now-3h&call={evidence['stream']}%2F{evidence['seq']}")
    said = page.get_by_test_id("conversation")
    said.get_by_text("Found in it").wait_for()
    assert said.get_by_label("Messages").locator("mark").first.inner_text() == "Question"
    assert call


def test_findings_are_read_with_j_and_k(page: Page) -> None:
    page.goto("/security?from=now-3h&of=all")
    rows = page.get_by_test_id("findings").get_by_role("button")
    rows.nth(2).wait_for()
    assert rows.first.get_attribute("aria-current") == "true"
    keys(page, "j")
    page.wait_for_url("**finding=*")
    assert rows.nth(1).get_attribute("aria-current") == "true"
    keys(page, "k")
    page.locator("[data-testid=findings] li:first-child button[aria-current=true]").wait_for()
    page.get_by_label("Detector").select_option("groundedness")
    page.get_by_test_id("finding").locator("mark").filter(has_text="40 days").wait_for()


def test_a_finding_is_judged_by_a_key(page: Page, played: Server) -> None:
    noticed = [item["finding"] for item in played.get("/api/findings?detector=prompts")["findings"]]
    judged = next(item["id"] for item in noticed if "step" in item)  # one of the detect stage's own
    page.goto(f"/security?from=now-3h&finding={judged}")
    rows = page.get_by_test_id("findings").get_by_role("button")
    page.get_by_test_id("finding-state").filter(has_text="new").wait_for()
    count = rows.count()
    keys(page, "x")
    rows.nth(count - 1).wait_for(state="detached")
    assert played.get(f"/api/findings/{judged}")["finding"]["state"] == "dismissed"
    page.goto(f"/security?from=now-3h&state=dismissed&finding={judged}")
    page.get_by_test_id("finding-state").filter(has_text="dismissed").wait_for()
    keys(page, "u")
    page.get_by_text(re.compile("No finding is dismissed")).wait_for()


def test_an_incident_is_read_acknowledged_and_commented(page: Page, played: Server) -> None:
    tied(played)
    page.goto("/incidents?state=all")
    rows = page.get_by_test_id("incidents").get_by_role("button")
    rows.nth(1).wait_for()
    keys(page, "j")
    case = page.get_by_test_id("incident")
    case.get_by_role("list", name="Timeline").get_by_role("listitem").first.wait_for()
    keys(page, "2")
    case.get_by_text(re.compile(r"records are frozen")).wait_for()
    assert case.locator("article.excerpt").count() > 0
    if case.get_by_test_id("incident-state").inner_text() != "open":
        case.get_by_role("button", name=re.compile("^Open again")).press("Enter")
    case.get_by_test_id("incident-state").filter(has_text="open").wait_for()
    page.locator("body").press("o")
    case.get_by_test_id("incident-state").filter(has_text="acknowledged").wait_for()
    page.locator("body").press("4")
    box = case.get_by_role("textbox", name="Comment")
    box.focus()
    page.keyboard.type("rolled back <b>2.9.0</b>")
    keys(page, "ControlOrMeta+Enter")
    case.get_by_role("list", name="History").get_by_text("rolled back <b>2.9.0</b>").wait_for()
    name = page.url.partition("incident=")[2].partition("&")[0]
    told = played.get(f"/api/incidents/{name}")
    assert told["state"] == "acknowledged"
    assert told["comments"][-1]["text"] == "rolled back <b>2.9.0</b>"


def tied(server: Server) -> str:
    """Return the incident whose entities have most to do with each other."""
    until = time.monotonic() + 40
    while not (found := server.get("/api/incidents")["incidents"]):
        assert time.monotonic() < until
        time.sleep(0.5)
    ids = [one["id"] for one in found]
    return max(ids, key=lambda name: len(server.get(f"/api/incidents/{name}")["graph"]["edges"]))


def test_an_incident_shows_what_ties_its_entities_together(page: Page, played: Server) -> None:
    page.goto(f"/incidents?state=all&incident={tied(played)}")
    page.get_by_test_id("incident").get_by_role("list", name="Timeline").get_by_role("listitem").first.wait_for()
    keys(page, "6")
    drawn = page.get_by_test_id("entity-graph")
    knots = drawn.get_by_role("link")
    knots.first.wait_for()
    assert drawn.locator("path.tie").count() > 0
    knots.first.focus()
    drawn.locator("a.lit").wait_for()
    keys(page, "ArrowDown")
    assert knots.nth(1).evaluate("e => e === document.activeElement")
    assert all(re.fullmatch(r".+: \d+ findings.*", knot.get_attribute("aria-label") or "") for knot in knots.all())
    keys(page, "Enter")
    page.wait_for_url(re.compile("/explore"))


def test_who_reads_what_leads_to_the_lines(page: Page) -> None:
    page.goto("/security?from=now-3h&show=access")
    table = page.get_by_role("table", name="attributes.user.id by collection")
    cell = table.get_by_role("row", name=re.compile("^vintra-connector")).get_by_role("link").nth(1)
    count = int(cell.inner_text())
    cell.click()
    heading(page, "Explore")
    page.get_by_test_id("total").filter(has_text=f"{count} records").wait_for()


def test_quality_draws_scores_and_drift(page: Page) -> None:
    page.goto("/quality?from=now-3h")
    card(page, "Scores of retrieval").get_by_test_id("plot").wait_for()
    card(page, "Feedback and verdicts").get_by_test_id("plot").wait_for()
    drift = card(page, "What drifted").get_by_role("table", name="Distributions")
    drift.get_by_role("row", name=re.compile("^mistral-small-latest")).get_by_text("80.9%").wait_for()


def test_training_names_the_first_failing_rank(page: Page) -> None:
    page.goto("/training?from=now-3h")
    first = page.get_by_test_id("first-failure")
    first.get_by_text(re.compile("rank 2")).first.wait_for()
    first.get_by_text(re.compile("not a number from epoch")).wait_for()
    for title in ("Loss", "Gradient norm", "Throughput", "Learning rate"):
        card(page, title).get_by_test_id("plot").wait_for()
    card(page, "GPU errors, memory, NCCL").get_by_text(re.compile("NVRM: Xid")).first.wait_for()


def test_a_dashboard_opens_by_keyboard_and_keeps_its_state_in_the_url(page: Page) -> None:
    page.goto("/dashboards?from=now-3h")
    tiles = page.get_by_role("list", name="Dashboards").get_by_role("button")
    tiles.first.wait_for()
    assert tiles.count() == 5
    names = [text.split("\n")[0] for text in tiles.all_inner_texts()]
    keys(page, *["j"] * names.index("LLM"), "Enter")
    heading(page, "LLM")
    page.get_by_test_id("dashboard").get_by_test_id("plot").first.wait_for()
    page.get_by_label("Model", exact=True).select_option("gpt-4.1")
    page.wait_for_url("**var-model=gpt-4.1*")
    page.reload()
    page.get_by_label("Model", exact=True).locator("option:checked").filter(has_text="gpt-4.1").wait_for(
        state="attached"
    )
    keys(page, "Escape")
    heading(page, "Dashboards")


@pytest.mark.parametrize("path", ["/", "/llm", "/security", "/quality", "/training", "/incidents", "/alerts"])
def test_an_empty_page_says_what_to_paste(browser: Browser, empty: Server, path: str) -> None:
    with watched(browser, empty) as page:
        page.goto(path)
        senders = page.get_by_test_id("senders")
        senders.get_by_role("button", name=re.compile("^Copy: ")).first.wait_for()
        assert len(senders.locator("pre").first.inner_text()) > 10


ALERTS = """
[[alerts.rules]]
name = "records come in"
query = "source=logs | stats count() as n"
above = 1
window = "1h"
every = "10s"
severity = "high"
summary = "{value} records <b>in</b> an hour"

[alerts.receivers.ops]
kind = "webhook"
url = "http://127.0.0.1:9/"

[[alerts.routes]]
receiver = "ops"
group_wait = "0s"
"""


def rung(server: Server, seconds: float = 40) -> None:
    """Send records until an alert rings: rules are asked by the clock of the records, behind the newest."""
    until = time.monotonic() + seconds
    earlier = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - 120))
    server.send("logs", [{"@timestamp": earlier, "body": "a line"}] * 3)
    while not server.get("/api/alerts")["alerts"]:
        assert time.monotonic() < until
        server.send("logs", [{"body": "a line"}])
        time.sleep(0.5)


def test_alerts_show_what_rings_and_can_be_silenced(browser: Browser, tmp_path: Path) -> None:
    (tmp_path / "treering.toml").write_text(ALERTS)
    with running(tmp_path / "data", "--config", tmp_path / "treering.toml") as server:
        rung(server)
        with watched(browser, server) as page:
            page.goto("/alerts")
            heading(page, "Alerts")
            page.get_by_role("table", name="Rules").get_by_text("records come in").wait_for()
            ringing = page.get_by_role("table", name="Alerts")
            ringing.get_by_text(re.compile(r"^\d+ records <b>in</b> an hour$")).wait_for()
            box = page.get_by_role("textbox", name="Matchers")
            box.fill('alertname="records come in"')
            box.press("Enter")
            page.get_by_role("table", name="Silences").get_by_text("records come in").wait_for()
            ringing.get_by_text("silenced").wait_for()
            keys(page, "Escape")
            ringing.get_by_role("link").first.press("Enter")
            heading(page, "Explore")


def test_an_error_of_the_server_is_said(page: Page) -> None:
    page.route(
        "**/api/dashboards/llm",
        lambda route: route.fulfill(
            status=500, content_type="application/json", body='{"error": {"message": "the disk is full"}}'
        ),
    )
    page.goto("/dashboards?name=llm")
    page.get_by_role("alert").get_by_text("the disk is full").wait_for()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("path", ["/", "/security?from=now-3h"])
def test_text_has_the_contrast_that_wcag_aa_asks(page: Page, scheme: Any, path: str) -> None:
    page.emulate_media(color_scheme=scheme)
    page.goto(path)
    page.locator(".severity").first.wait_for()
    assert page.evaluate(CONTRAST) == []
    assert page.evaluate(SEEN_CONTRAST) == []


# The same over what is on the screen: each element's own text against the nearest ground that is painted.
SEEN_CONTRAST = """() => {
  const part = (v) => (v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
  const luminance = ([r, g, b]) => 0.2126 * part(r) + 0.7152 * part(g) + 0.0722 * part(b);
  const read = (text) => (text.match(/[\\d.]+/g) ?? []).map(Number);
  const ground = (e) => {
    for (let at = e; at; at = at.parentElement) {
      const colour = read(getComputedStyle(at).backgroundColor);
      if (colour.length === 3 || colour[3] === 1) return colour;
    }
    return [255, 255, 255];
  };
  const looked = '.severity, .chip, .stat dt, .stat dd, .rail-item, .tabled td, .tabled th, .card h2, .quiet, small';
  return [...document.querySelectorAll(looked)]
    .filter((e) => e.offsetParent && e.textContent.trim())
    .map((e) => {
      const colour = getComputedStyle(e).color;
      if (!colour.startsWith('rgb')) return [e.className, 21];
      const [light, dark] = [luminance(read(colour)), luminance(ground(e))].sort((x, y) => y - x);
      return [`${e.className}: ${e.textContent.slice(0, 30)}`, (light + 0.05) / (dark + 0.05)];
    }).filter(([, ratio]) => ratio < 4.5);
}"""


@pytest.mark.parametrize("path", [path for path, _ in SITES.values()])
def test_every_control_has_a_name(page: Page, path: str) -> None:
    page.goto(path)
    page.get_by_role("heading", level=1).wait_for()
    page.wait_for_load_state("networkidle")
    assert page.evaluate(NAMELESS) == []


def test_a_rule_is_read_tested_and_replayed(page: Page) -> None:
    page.goto("/security?from=now-3h")
    heading(page, "Security")
    keys(page, "3")
    box = page.get_by_role("searchbox", name="Find a rule")
    box.fill("vector-refusals")
    rule = page.get_by_test_id("rule")
    rule.get_by_text("vector-refusals", exact=True).wait_for()
    rule.get_by_text(re.compile("^source=logs")).first.wait_for()
    rule.get_by_role("button", name=re.compile("^Run its")).press("Enter")
    rule.get_by_text(re.compile(r"^All \d+ cases hold\.$")).wait_for()
    rule.get_by_role("button", name="a day").press("Enter")
    rule.get_by_label("Replay", exact=True).get_by_text(re.compile("told")).wait_for()


def test_what_is_covered_is_a_map(page: Page) -> None:
    page.goto("/security?show=coverage")
    table = page.get_by_role("table", name="OWASP Top 10 for LLM applications")
    table.get_by_role("row", name=re.compile("Prompt Injection")).get_by_text("proven").wait_for()
    page.get_by_label("only what is not proven").check()
    page.get_by_role("region", name="OWASP Top 10 for agents").get_by_text("Nothing is missing.").wait_for()
    assert table.get_by_text("proven").count() == 0


def test_a_drill_shows_what_was_noticed_and_alarms_nobody(page: Page, played: Server) -> None:
    page.goto("/security?show=drills")
    page.get_by_test_id("no-drills").wait_for()
    began = datetime.now(UTC).isoformat()[:19]
    done = treering("drill", "--technique", "jailbreak", "--technique", "exfiltration", "--data", played.data)
    assert done.returncode == 0, done.stderr
    page.reload()
    row = page.get_by_role("table", name="Techniques").get_by_role("row", name=re.compile("^jailbreak"))
    row.get_by_role("meter").wait_for()
    assert re.search(r"\d+ of \d+", row.inner_text())
    page.get_by_label("Figures of the drill").get_by_text("Time to detect, median").wait_for()
    # The drill's records are newer than the day's, so findings of the day whose windows they close may be new.
    for name in ("prompts", "exfiltration", "taint", "canaries"):
        for finding in played.get(f"/api/findings?detector={name}&limit=500")["findings"]:
            assert finding["startTime"] < began
            assert not any(item["stream"].startswith("drill") for item in finding["evidence"])


def followed(server: Server) -> str:
    """Wait for the finding that a document was obeyed, and for its incident; its window closes half a minute late."""
    until = time.monotonic() + 90
    while time.monotonic() < until:
        for item in server.get("/api/findings?detector=taint")["findings"]:
            name: str = item["finding"]["id"]
            if item["finding"]["rule"] == "injection_followed" and server.get(f"/api/findings/{name}").get("incident"):
                return name
        time.sleep(0.5)
    raise AssertionError("no document was obeyed")


def test_a_finding_leads_to_its_incident_and_shows_its_way(page: Page, played: Server) -> None:
    name = followed(played)
    page.goto(f"/security?from=now-3h&state=all&finding={name}")
    ways = page.get_by_role("list", name="The way it took").get_by_role("link")
    ways.first.wait_for()
    assert ways.count() >= 2
    page.get_by_test_id("part-of").get_by_role("link").press("Enter")
    heading(page, "Incidents")
    page.get_by_test_id("incident").wait_for()
