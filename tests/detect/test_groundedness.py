"""Groundedness: what a sentence adds, rates that rise, and what is not judged."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.detect.feeding import built, call, encode, feed
from treering.detect import groundedness
from treering.detect._flags import Flags, wilson
from treering.detect._support import Rarity, content, is_refusal, language, support

LEAVE = (
    "Every parent may take 20 weeks of paid parental leave within two years. "
    "Up to six weeks can start before the birth. Tell your manager and the people team eight weeks ahead."
)
RIGHT = "You may take 20 weeks of paid leave within two years, and up to six weeks can start before the birth."
WRONG = "You get 32 weeks at full salary plus a bonus of 1,500 euros, requested through MediTrack before July."


def score(answer: str, question: str = "How much leave do I get?") -> float:
    return support(answer, [LEAVE], question, Rarity()).score


def test_invented_sentences_score_higher() -> None:
    assert score(RIGHT) < 0.3
    assert score(WRONG) > 0.65
    assert score(f"{RIGHT} {WRONG}") > 0.5


def test_what_is_new_is_named_where_it_is() -> None:
    answer = f"{RIGHT} {WRONG}"
    worst = max(support(answer, [LEAVE], "", Rarity()).sentences, key=lambda sentence: sentence.score)
    assert answer[worst.start : worst.end].strip() == WRONG
    assert {"32", "1,500", "MediTrack"} <= set(worst.new)


def test_numbers_negations_and_written_numbers() -> None:
    assert score("Every parent may take 25 weeks of paid leave.") > score(
        "Every parent may take 20 weeks of paid leave."
    )
    assert score("Up to 6 weeks can start before the birth.") < 0.3
    assert score("Up to six weeks can not start before the birth.") > score(
        "Up to six weeks can start before the birth."
    )


def test_what_the_question_says_is_given() -> None:
    assert score("For Lisbon in May: 20 weeks of paid leave.", "Leave in Lisbon in May?") < score(
        "For Lisbon in May: 20 weeks of paid leave.", "How much?"
    )


@pytest.mark.parametrize(
    "answer",
    [
        "The documents don't say anything about that.",
        "I can't help with that.",
        "Dazu habe ich keine Information gefunden.",
        "That isn't covered by the article.",
    ],
)
def test_refusals(answer: str) -> None:
    assert is_refusal(answer)
    assert not is_refusal(WRONG)


def test_languages() -> None:
    assert language("The answer is in the document that you have and it will be found") == "en"
    assert language("Die Antwort ist in dem Dokument und wird von der Seite gefunden") == "de"
    assert language("経費は月末までに申請してください。") == "wide"
    assert language("42") == ""


@settings(max_examples=80, deadline=None)
@given(st.text(max_size=200), st.lists(st.text(max_size=200), max_size=3), st.text(max_size=50))
def test_any_text_is_judged_within_bounds(answer: str, documents: list[str], question: str) -> None:
    judged = support(answer, documents, question, Rarity())
    assert 0 <= judged.score <= 1
    assert all(0 <= s.start < s.end <= len(answer) for s in judged.sentences)


@given(st.integers(0, 500), st.integers(1, 500))
def test_wilson_holds_the_share(count: int, more: int) -> None:
    low, high = wilson(count, count + more)
    share, rounding = count / (count + more), 1e-12
    assert 0 <= low <= share + rounding
    assert share - rounding <= high <= 1


def test_flags_tell_a_rise_and_not_a_habit() -> None:
    habit = Flags()
    told = [habit.add(n, flag=n % 5 == 0, level=10, quiet_ns=10**12) for n in range(400)]
    assert not any(told[100:])
    rise = Flags()
    assert not any(rise.add(n, flag=n % 40 == 0, level=10, quiet_ns=10**12) for n in range(400))
    first = next(n for n in range(20) if rise.add(400 + n, flag=True, level=10, quiet_ns=10**12))
    assert first <= 6


def answered(number: int, answer: str, **more: Any) -> dict[str, Any]:
    topics = ("leave", "birth", "manager", "team", "weeks", "parent", "start", "years")
    question = f'<document id="d">{LEAVE}</document>\n\nWhat about {topics[number % 8]} number {number}?'
    return call(question, answer, second=60 * number, **more)


def test_a_rate_is_told_with_its_interval_and_worst_answers() -> None:
    spans = [answered(n, RIGHT if n < 40 else WRONG.replace("32", str(n))) for n in range(52)]
    (finding,) = feed(built(groundedness), spans, size=5)
    assert finding.rule == "unsupported_answers"
    assert finding.values("service") == ("assistant",)
    low, high = finding.facts["interval_95"]
    assert finding.facts["usual_flag_rate"] < low < finding.facts["flag_rate"] <= high
    assert finding.noticed_ns <= spans[46]["@timestamp"]
    shown = finding.evidence[0]
    assert "bonus" in shown.excerpt[slice(*shown.spans[0])]


def test_documents_come_from_the_retrieval_of_the_trace() -> None:
    def trace(n: int, answer: str, best: float = 0.9) -> list[dict[str, Any]]:
        documents = encode([{"id": "leave", "score": best, "content": LEAVE}])
        extra = {"gen_ai.retrieval.documents": documents, "gen_ai.data_source.id": "Handbook"}
        return [call(second=n, **extra), call(f"question {n} leave", answer, second=n)]

    spans = [span for n in range(60) for span in trace(n, RIGHT if n < 45 else WRONG.replace("32", str(n)))]
    (finding,) = feed(built(groundedness), spans, size=8)
    assert (finding.rule, finding.values("collection")) == ("unsupported_answers", ("Handbook",))


def test_scores_that_drop() -> None:
    def found(n: int, best: float) -> dict[str, Any]:
        documents = encode(
            [{"id": "a", "score": best - 0.1, "content": "x"}, {"id": "b", "score": best, "content": "y"}]
        )
        return call(second=n, **{"gen_ai.retrieval.documents": documents, "gen_ai.data_source.id": "Handbook"})

    spans = [found(n, 0.8 + (n % 7) / 100) for n in range(60)]
    assert feed(built(groundedness), [*spans, found(61, 0.3)]) == []
    (finding,) = feed(built(groundedness), [*spans, *(found(61 + n, 0.35) for n in range(6))])
    assert finding.rule == "retrieval_scores_dropped"


@pytest.mark.parametrize(("askers", "told"), [(2, 0), (8, 1)])
def test_scores_that_are_low_for_few_of_many_who_ask(askers: int, told: int) -> None:
    """Odd questions of a few people are no broken index: that is one for everybody."""

    def found(n: int, best: float, user: str) -> dict[str, Any]:
        documents = encode([{"id": "a", "score": best, "content": "x"}])
        more = {"gen_ai.retrieval.documents": documents, "gen_ai.data_source.id": "Handbook"}
        return call(second=n, user=user, **more)

    spans = [found(n, 0.8 + (n % 7) / 100, f"u-{n % 20}") for n in range(60)]
    low = [found(61 + n, 0.35, f"u-{n % askers}") for n in range(12)]
    assert len(feed(built(groundedness), [*spans, *low])) == told


def test_refusals_and_other_languages_are_not_judged() -> None:
    german = "Das Wetter ist in der Stadt heute nicht gut und die Leute gehen mit dem Schirm auf die Strasse."
    spans = [answered(n, RIGHT if n < 40 else ("The documents don't mention that.", german)[n % 2]) for n in range(60)]
    assert feed(built(groundedness), spans) == []


def auroc(labels: np.ndarray, scores: np.ndarray) -> float:
    good, bad = scores[labels == 0], scores[labels == 1]
    return float((bad[:, None] > good).mean() + (bad[:, None] == good).mean() / 2)


@pytest.mark.parametrize(("name", "least"), [("ragtruth_qa_dev", 0.76), ("begin_dev", 0.89), ("faithdial_audit", 0.75)])
def test_development_figures_hold(shared: Path, name: str, least: float) -> None:
    """Ranking on development data: it says that nothing got worse, not how good this is elsewhere."""
    with gzip.open(shared / "data" / "groundedness" / f"{name}.jsonl.gz") as file:
        rows = [json.loads(line) for line in file]
    rarity = Rarity()
    for context in {row["context"] for row in rows}:
        rarity.learn(content(context))
    scores = np.array([support(row["answer"], [row["context"]], row["query"] or "", rarity).score for row in rows])
    labels = np.array([int(row["label"]) for row in rows])
    found = auroc(labels, scores)
    print(name, round(found, 3))
    assert found >= least
