"""Playbooks: reading, choosing, and values that can only ever be literals."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.incidents import HOSTILE, START
from treering import query
from treering.app.casebook import Case
from treering.app.playbooks import values_of
from treering.core.errors import UserError
from treering.model.finding import Entity, Severity
from treering.model.incident import Incident
from treering.query.syntax import In, Literal
from treering.respond import playbook
from treering.respond.parameters import Absent, Instant, bound, names

if TYPE_CHECKING:
    from pathlib import Path

KINDS = ("security", "training", "availability", "performance", "cost", "quality", "drift")


def incident(kind: str = "security", techniques: tuple[str, ...] = (), *entities: Entity) -> Incident:
    return Incident(
        "inc-1", "t", kind, Severity.HIGH, START, START + 10**10, START, ("f1", "f2"), entities, (), techniques
    )


@pytest.mark.parametrize("name", sorted(playbook.library()))
def test_every_shipped_query_is_valid_whatever_the_values(name: str) -> None:
    everything = tuple(Entity(kind, HOSTILE) for kind in ("user", "trace", "document", "service", "host", "address",
                                                          "collection", "tool"))  # fmt: skip
    values = values_of(Case(incident("security", (), *everything), START, START))
    found = playbook.library()[name]
    assert set(found.kinds) <= set(KINDS)
    assert found.about
    for step in found.steps:
        assert step.text or step.queries or step.checks
        for text in step.queries:
            assert query.print(query.parse(bound(text, values))) == bound(text, values)


def test_every_kind_has_a_playbook_and_techniques_choose_among_several() -> None:
    books = playbook.library().values()
    for kind in KINDS:
        assert playbook.choose(books, incident(kind)) is not None
    stolen = playbook.choose(books, incident("security", ("owasp-llm@2025:LLM02", "mitre-atlas@2026.09:AML.T0085")))
    tried = playbook.choose(books, incident("security", ("mitre-atlas@2026.05:AML.T0051.000",)))
    assert stolen is not None
    assert tried is not None
    assert (stolen.name, tried.name) == ("vector_access", "injection")
    assert playbook.choose([], incident()) is None


def test_values_become_literals_of_their_type() -> None:
    values = {"a.s": "x' or true", "a.n": 3, "a.f": 2.5, "a.t": Instant(START), "a.l": ("p", "q'"), "a.one": ("z",)}
    text = (
        "where s = {{a.s}} and n > {{ a.n }} and f < {{a.f}} and t >= {{a.t}} and l in ({{a.l}}, 'r') and o = {{a.one}}"
    )
    made = bound(f"source=logs | {text}", values)
    assert made == (
        "source=logs | where s = 'x\\' or true' and n > 3 and f < 2.5 and t >= timestamp '2026-11-23 18:00:00' "
        "and l in ('p', 'q\\'', 'r') and o = 'z'"
    )
    assert query.print(query.parse(made)) == made


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("source=logs | where a = '{{x}}'", "within quotes"),
        ("source=logs | where a = {{y}}", "unknown parameter"),
        ("source={{x}}", "."),
        ("source=logs {{x}}", "expression"),
        ("source=logs | fields {{x}}", "."),
        ("source=logs | where a = {{l}}", "is a list"),
        ("source=logs | where a = 'treering parameter x'", "cannot hold"),
        ("source=logs | where (", "."),
    ],
)
def test_what_is_no_value_in_an_expression_is_refused(text: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        bound(text, {"x": "v", "l": ("a", "b")})


def test_an_empty_list_means_that_the_step_does_not_apply() -> None:
    with pytest.raises(Absent, match=r"entity\.user"):
        bound("source=logs | where u in ({{entity.user}})", {"entity.user": ()})
    assert names("{{a}} {{ b.c }} {{D}}") == {"a", "b.c"}


@given(st.text(max_size=80), st.lists(st.text(max_size=20), min_size=1, max_size=3))
def test_no_text_can_leave_its_literal(value: str, many: list[str]) -> None:
    made = bound("source=logs | where a = {{x}} and b in ({{l}})", {"x": value, "l": tuple(many)})
    condition = query.parse(made).commands[1].condition  # type: ignore[attr-defined]
    assert condition.left.right == Literal(value, "string")
    assert isinstance(condition.right, In)
    assert [item.value for item in condition.right.items] == many


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("# no front matter", "front matter"),
        ("+++\ntitle = 3\n+++\n## a\n", "front matter"),
        ('+++\ntitle = "x"\nodd = 1\n+++\n## a\n', "odd"),
        ('+++\ntitle = "x"\n+++\nno steps', "no steps"),
        ('+++\ntitle = "x"\n+++\n## a\n## A!\n', "same title"),
    ],
)
def test_a_playbook_that_is_none_says_why(text: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        playbook.parse("mine", text)


def test_ones_own_come_from_a_directory_and_win(tmp_path: Path) -> None:
    (tmp_path / "injection.md").write_text(
        '+++\ntitle = "Ours"\nkinds = ["security"]\n+++\n# Ours\nWhy.\n\n'
        "## Look\nHere.\n\n```ppl\nsource=logs\n```\n- [ ] seen\n",
        encoding="utf-8",
    )
    found = playbook.library(tmp_path)["injection"]
    assert (found.title, found.about) == ("Ours", "Why.")
    (step,) = found.steps
    assert (step.id, step.text, step.queries, step.checks) == ("look", "Here.", ("source=logs",), ("seen",))
    assert "training" in playbook.library(tmp_path)
    (tmp_path / "broken.md").write_bytes(b"\xff\xfe")
    with pytest.raises(UserError, match="cannot read"):
        playbook.library(tmp_path)


@given(st.text(max_size=300))
def test_any_text_is_a_playbook_or_refused(text: str) -> None:
    for body in (text, f'+++\ntitle = "x"\n+++\n{text}\n## a\n{text}'):
        try:
            found = playbook.parse("any", body)
        except UserError:
            continue
        assert found.steps
