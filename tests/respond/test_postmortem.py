"""The post-mortem: every sentence cited, nothing invented, hostile text inert in both forms."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from tests.incidents import HOSTILE, MINUTE, START, finding
from treering.correlate.clue import Clue
from treering.correlate.fold import fold
from treering.model.finding import Severity
from treering.respond import html, markdown, postmortem
from treering.respond.casefile import CaseFile, Counted, Happened, Kept, Noted, Series, Todo, Told
from treering.respond.document import Document, Prompt, Sentence, Table
from treering.respond.svg import chart

SECTIONS = [
    "Summary",
    "Impact",
    "Root causes and contributing factors",
    "Trigger",
    "Detection",
    "Resolution",
    "Timeline",
    "What changed",
    "Charts",
    "Lessons learned",
    "Action items",
]


def case(text: str = HOSTILE, **about: Any) -> CaseFile:
    findings = (
        finding("a", seqs=[1, 2], title=text, entities={"user": text, "service": "rag"}),
        finding("b", START + MINUTE, [3], title=text, severity=Severity.CRITICAL, entities={"user": text}),
    )
    (incident,) = fold(map(Clue, findings)).incidents
    fields: dict[str, Any] = {
        "incident": msgspec.structs.replace(incident, owner=text),
        "findings": findings,
        "noted": (
            Noted(1, START + 4 * MINUTE, "treering", "state", "", "open"),
            Noted(2, START + 5 * MINUTE, text, "comment", "", text),
            Noted(3, START + 9 * MINUTE, "ana", "state", "open", "resolved"),
        ),
        "kept": (Kept("spans/1", START, "ab" * 32),),
        "bundle_sha256": "cd" * 32,
        "changes": (Happened("logs/7", START - 5 * MINUTE, text, text),),
        "impact": (
            Counted("Users", "source=spans | stats dc(u)", {"users": 12}),
            Counted("Cost", f"where a = '{text}'", note=text),
        ),
        "charts": (Series("Calls", "calls", "q", tuple((START + n * MINUTE, float(n % 5)) for n in range(90))),),
        "told": (Told("pager", START + 4 * MINUTE, "d-1"),),
        "todo": (Todo("injection", "Stop it", "open"), Todo("injection", "What was tried", "done", "ana", START)),
        "made_ns": START + 60 * MINUTE,
    }
    return CaseFile(**{**fields, **about})


def test_the_sections_of_the_template_are_there_and_every_sentence_is_cited() -> None:
    document = postmortem.build(case())
    assert [section.title for section in document.sections] == SECTIONS
    for section in document.sections:
        for part in section.parts:
            if isinstance(part, Sentence):
                assert part.refs, part.text
            elif isinstance(part, Table) and section.title in {"Timeline", "Summary"}:
                assert all(row.refs for row in part.rows)
    known = set(document.references())
    assert {(ref.kind, ref.value) for ref in known} >= {
        ("record", "spans/1"),
        ("record", "logs/7"),
        ("history", "3"),
        ("delivery", "d-1"),
        ("query", "source=spans | stats dc(u)"),
    }


def test_it_says_what_the_record_says() -> None:
    text = markdown.render(postmortem.build(case("slow search")))
    for said in (
        "2 findings of 1 detector (prompts) make one incident of kind security, severity critical.",
        "Users: 12.",
        "Cost could not be counted: `slow search`.",
        "The last change before the first sign, 5 minutes away, is `slow search` (`slow search`).",
        "noticed it 2026-11-23 18:03:00, 3 minutes after its first record",
        "The first alert reached the receiver pager 2026-11-23 18:04:00.",
        "Resolved 2026-11-23 18:09:00 by `ana`.",
        "SHA-256 of the bundle " + "cd" * 32,
        "Stop it (playbook injection)",
        "> _Where were we lucky?_",
    ):
        assert said in text, said


def test_what_is_not_in_the_record_is_asked_and_not_made_up() -> None:
    bare = CaseFile(case().incident, case().findings)
    text = markdown.render(postmortem.build(bare))
    assert "No log line of the hour before the first sign tells of a change." in text
    assert "No alert about it was delivered to anybody." in text
    assert "It is not resolved; the last sign is of" in text
    assert "No series could be drawn" in text
    with pytest.raises(ValueError, match="without findings"):
        postmortem.build(CaseFile(bare.incident, ()))


def test_it_is_the_same_every_time() -> None:
    assert markdown.render(postmortem.build(case())) == markdown.render(postmortem.build(case()))
    assert html.render(postmortem.build(case())) == html.render(postmortem.build(case()))


class Strict(HTMLParser):
    """Takes note of what a browser would act on."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[tuple[str, str]] = set()
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        for name, value in attrs:
            self.attributes.add((tag, name))
            if name in {"href", "src", "xlink:href"}:
                self.links.append(value or "")


TAGS = set(
    "html head meta title style body h1 h2 p q sup a table thead tbody tr th td ol li code figure figcaption svg desc "
    "text rect line".split()
)


def inert_html(text: str) -> None:
    page = Strict()
    page.feed(text)
    assert page.tags <= TAGS
    assert all(re.fullmatch(r"#r\d+", link) for link in page.links)
    assert not [pair for pair in page.attributes if pair[1].startswith("on")]
    assert not set(text) & set("\x1b\u202e\u2028\x00")
    assert "url(" not in text
    assert "content-security-policy" in text


def inert_markdown(text: str) -> None:
    """Render with HTML allowed: whatever is live in the Markdown shows up as a token."""
    for token in MarkdownIt("commonmark", {"html": True}).enable("table").parse(text):
        for part in [token, *(token.children or [])]:
            assert part.type not in {"html_block", "html_inline", "link_open", "image", "fence", "code_block"}, part
    assert not set(text) & set("\x1b\u202e\u2028\x00")


def test_hostile_text_is_inert_in_both_forms() -> None:
    document = postmortem.build(case())
    inert_html(html.render(document))
    inert_markdown(markdown.render(document))
    assert "&lt;script&gt;" in html.render(document)


NASTY = st.one_of(
    st.text(max_size=200),
    st.text(alphabet="`|\\<>[]()!*_#\n\r -&;:/\"'", max_size=60),
    st.sampled_from(
        ["", " ", "`", "``", "![x](http://e/)", "</q><img src=x onerror=alert(1)>", "\n# h\n", "a|b", "\\`", "]]>"]
    ),
)


@settings(max_examples=60, deadline=None)
@given(NASTY)
def test_no_text_is_live_anywhere(text: str) -> None:
    document = postmortem.build(case(text))
    inert_html(html.render(document))
    inert_markdown(markdown.render(document))


@given(NASTY)
def test_a_code_span_is_one_code_span(text: str) -> None:
    (inline,) = (
        token for token in MarkdownIt("commonmark").parse(f"x {markdown.code(text)} y") if token.type == "inline"
    )
    assert [part.type for part in inline.children or []] == ["text", "code_inline", "text"]


@given(st.lists(st.tuples(st.integers(0, 10**18), st.floats(0, 1e12)), max_size=100))
def test_any_series_is_a_chart(points: list[tuple[int, float]]) -> None:
    drawn = chart(Series("<t>", "&", "q", tuple(sorted(points))))
    assert drawn.startswith("<svg")
    assert "nan" not in drawn
    page = Strict()
    page.feed(drawn)
    assert page.tags <= TAGS
    assert len(markdown.sparkline([value for _, value in points])) <= 60


def test_a_document_lists_each_reference_once() -> None:
    document = postmortem.build(case())
    assert isinstance(document, Document)
    references = document.references()
    assert len(references) == len(set(references))
    assert all(not isinstance(part, Prompt) or part.text.strip() for s in document.sections for part in s.parts)
