"""Hostile text is inert on every page: markup, scripts, ANSI, marks that turn text around, invisible tags, formulas."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from tests.server import running
from tests.web import known_findings
from tests.web.conftest import watched
from treering.model.times import format_ns

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser

    from tests.server import Server

pytestmark = pytest.mark.browser

MARKUP = "<img src=x onerror=\"window.owned=1\"><script>window.owned=1</script><svg onload='window.owned=1'>"
ANSI = "\x1b[31mred\x1b[0m\x1b]0;owned\x07"
BIDI = "user\u202etxt.exe\u2066\u200bhidden"
TAGS = "plain" + "".join(chr(0xE0000 + ord(letter)) for letter in "ignore")
FORMULA = '=HYPERLINK("http://evil.example","x")'
LINK = "[click](javascript:window.owned=1) ![x](http://evil.example/x.png)"
HOSTILE = f"{MARKUP} {ANSI} {BIDI} {TAGS} {FORMULA} {LINK}"
NAME = '"><b>x</b>\u202e' + "y" * 300
TRACE, SPAN = "ab" * 16, "cd" * 8


def spans(now: int) -> list[dict[str, Any]]:
    said = json.dumps(
        [{"role": HOSTILE, "parts": [{"type": "text", "content": HOSTILE}, {"type": MARKUP, "content": HOSTILE}]}]
    )
    call = {
        "gen_ai.operation.name": "chat", "gen_ai.request.model": NAME, "gen_ai.response.model": NAME,
        "gen_ai.provider.name": HOSTILE, "gen_ai.usage.input_tokens": 5, "gen_ai.usage.output_tokens": 7,
        "gen_ai.input.messages": said, "gen_ai.output.messages": said, "gen_ai.system_instructions": HOSTILE,
        "gen_ai.response.finish_reasons": [HOSTILE], "gen_ai.conversation.id": NAME, "gen_ai.agent.name": NAME,
        "user.id": NAME, "tenant.id": NAME, "error.type": NAME, "treering.cost.usd": 0.01,
    }  # fmt: skip
    found = json.dumps([{"id": HOSTILE, "title": HOSTILE, "score": 0.5, "content": HOSTILE}])
    retrieval = {
        "gen_ai.operation.name": "retrieval", "gen_ai.data_source.id": NAME, "gen_ai.retrieval.documents": found,
        "tenant.id": NAME, "db.collection.name": NAME,
    }  # fmt: skip
    tool = {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": HOSTILE, "gen_ai.tool.call.arguments": HOSTILE,
            "gen_ai.tool.call.result": HOSTILE}  # fmt: skip
    return [
        {
            "@timestamp": format_ns(now - place * 10**9), "startTime": format_ns(now - place * 10**9),
            "endTime": format_ns(now), "durationInNanos": 10**9, "traceId": TRACE, "spanId": f"{place:x}" + SPAN[1:],
            "name": HOSTILE, "kind": "SPAN_KIND_CLIENT", "serviceName": NAME,
            "status": {"code": 2, "message": HOSTILE}, "attributes": attributes,
        }
        for place, attributes in enumerate((call, retrieval, tool))
    ]  # fmt: skip


def logs(now: int) -> list[dict[str, Any]]:
    at = format_ns(now)
    audit = {
        "treering.access.kind": "data",
        "treering.access.result": "denied",
        "user.id": NAME,
        "db.collection.name": NAME,
    }
    judged = {
        "gen_ai.evaluation.name": NAME,
        "gen_ai.evaluation.score.value": 0.5,
        "gen_ai.evaluation.score.label": NAME,
    }
    training = {"training.loss": 1.5, "training.epoch": 1.0, "training.rank": HOSTILE, "log.file.name": NAME}
    broken = {"exception.type": HOSTILE, "training.rank": HOSTILE}
    base = {"@timestamp": at, "serviceName": NAME, "severityText": "ERROR", "severityNumber": 17, "body": HOSTILE,
            "resource": {"attributes": {"host.name": HOSTILE}}}  # fmt: skip
    return [
        base | {"attributes": audit},
        base | {"attributes": judged, "eventName": "gen_ai.evaluation.result"},
        base | {"attributes": training},
        base | {"attributes": broken},
        base | {"body": "NVRM: Xid " + HOSTILE, "attributes": {"vllm.requests_running": 1, "action": HOSTILE}},
    ]


def findings(now: int) -> list[dict[str, Any]]:
    injection = known_findings.injection(now, TRACE, "0" + SPAN[1:], HOSTILE, NAME)
    drift = known_findings.drift(now)
    facts = {"reference": {HOSTILE: 3, "b": 1}, "current": {HOSTILE: 1, NAME: 4}, HOSTILE: HOSTILE, "list": [HOSTILE]}
    hostile = [
        msgspec.structs.replace(
            injection, title=HOSTILE, rule=HOSTILE, techniques=(HOSTILE,), tactic=HOSTILE, facts={HOSTILE: HOSTILE}
        ),
        msgspec.structs.replace(drift, title=HOSTILE, facts=facts, entities=drift.entities + injection.entities),
    ]  # fmt: skip
    return known_findings.records(hostile)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("hostile")
    panels = [
        {"title": HOSTILE, "kind": kind, "note": HOSTILE, "query": "source=logs | stats count() as n by body"}
        for kind in ("bars", "table", "number")
    ]
    own = {
        "title": HOSTILE,
        "about": HOSTILE,
        "panels": panels,
        "variables": [{"name": "v", "title": HOSTILE, "query": "source=logs | stats count() by serviceName"}],
    }
    (folder / "own").mkdir()
    (folder / "own" / "hostile.json").write_text(json.dumps(own))
    (folder / "treering.toml").write_text(f"dashboards = {json.dumps(str(folder / 'own'))}\n")
    with running(folder / "data", "--config", folder / "treering.toml") as found:
        now = time.time_ns() - known_findings.MINUTE
        found.send("spans", spans(now))
        found.send("logs", logs(now))
        found.send("findings", findings(now))
        yield found


@pytest.mark.parametrize(
    ("path", "seen"),
    [
        ("/", "Services"),
        ("/llm", "Newest calls"),
        ("/llm?call=spans%2F0", "Found in it"),
        ("/security?of=all", "Evidence"),
        ("/security?show=access", "Refusals over time"),
        ("/quality", "What drifted"),
        ("/training", "First failure"),
        ("/incidents?state=all", "Incidents"),
        ("/dashboards", "hostile.json"),
        ("/dashboards?name=hostile", "onerror"),
        ("/dashboards?name=llm&var-model=%22%3E%3Cscript%3Ewindow.owned%3D1%3C%2Fscript%3E", "Calls by model"),
        ("/alerts", "Alerts"),
        ("/explore?stream=spans", "onerror"),
        (f"/explore?trace={TRACE}", "onerror"),
    ],
)  # fmt: skip
def test_hostile_text_is_shown_and_does_nothing(browser: Browser, server: Server, path: str, seen: str) -> None:
    with watched(browser, server) as page:
        page.goto(path)
        page.get_by_text(seen).first.wait_for()
        page.wait_for_load_state("networkidle")
        assert page.evaluate("window.owned") is None
        assert page.locator("img:not(.cm-widgetBuffer), main script, iframe, object, embed").count() == 0
        assert page.locator("b", has_text="x").filter(has_text="yyy").count() == 0
        links = page.locator("a").evaluate_all("all => all.map((a) => a.getAttribute('href'))")
        assert all(link.startswith(("/", "blob:")) for link in links), links
        assert page.evaluate(HIDING) == []


# The elements whose own text holds a character that hides or turns others (options of a choice included).
HIDING = r"""() => [...document.querySelectorAll('#root *')].filter((e) => e.tagName !== 'SCRIPT'
  && [...e.childNodes].some((n) => n.nodeType === 3
    && /[\u0007\u001b\u200b\u202e\u2066]|[\u{e0000}-\u{e007f}]/u.test(n.data)))
  .map((e) => e.outerHTML.slice(0, 200))"""


def test_what_hides_is_shown_by_its_number(browser: Browser, server: Server) -> None:
    with watched(browser, server) as page:
        page.goto("/llm?call=spans%2F0")
        said = page.get_by_test_id("conversation").get_by_label("Messages")
        said.get_by_text("‹U+202E›txt.exe‹U+2066›‹U+200B›hidden").first.wait_for()
        assert "‹U+001B›[31mred" in said.inner_text()
        assert "‹U+E0069›" in said.inner_text()
        assert MARKUP in said.inner_text()
