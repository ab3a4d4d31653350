"""Answers that their documents do not support, as rates by service and source, and retrieval scores that drop.

Every judged answer is scored sentence by sentence against the documents that were retrieved for it: new words,
numbers, names, negations. From `threshold` on it is flagged. What is told is not the answer but the rate: when flags
come much more often than is usual for the service and source, with the interval of the flag rate and the worst answers.

Misses: wrong answers made of the documents' own words, documents that are wrong, answers in another language than
their documents (not judged), refusals (not judged). The flag rate is an index, not the share of wrong answers. An
answer costs about 0.4 ms, so at most `per_minute` of a group are judged.
"""

from __future__ import annotations

from hashlib import blake2b
from statistics import median
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple, TypeVar

import msgspec
import numpy as np
from msgspec import Meta

from treering.core.config import Config as BaseConfig
from treering.detect._flags import Flags, wilson
from treering.detect._fold import folded
from treering.detect._recent import recent, remember
from treering.detect._screen import TAG, places
from treering.detect._screened import screened
from treering.detect._support import Rarity, Support, content, is_refusal, language, support, words
from treering.detect._texts import ASSISTANT, DOCUMENT, USER, Text, sources, texts
from treering.detect._whom import Whom, proof, restored
from treering.model.finding import MAX_EVIDENCE, Entity, Evidence, Finding, Severity
from treering.stage.detector import Example

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from treering.model.rows import Rows
    from treering.stage.detector import Ask

NAME = "groundedness"
T = TypeVar("T")
ORDER_FREE = False
"""Which answers came before which decides when a rate is called high."""
_TRACES, _GROUPS = 400, 500
_DOCUMENTS = 6_000
_MINUTE = 60 * 10**9
_SENTENCES, _ASKED = 2_000, 12
_MOST_SCORES = 0.75
_ASKERS, _MOST_ASKERS = 5, 50
"""Scores have dropped when most are low: people who ask for what there is no document are no fault of the index."""
_TECHNIQUES = ("owasp-llm@2026:LLM07",)
_SOURCE = "attributes.gen_ai.data_source.id"
_FOUND = "attributes.gen_ai.retrieval.documents"


class Config(BaseConfig, frozen=True):
    """When an answer is flagged, and when flags are too many."""

    threshold: Annotated[float, Meta(gt=0, lt=1, description="score from which an answer is flagged")] = 0.65
    level: Annotated[float, Meta(gt=0, description="sum of log-likelihood ratios from which a rate is told")] = 10.0
    quiet_s: Annotated[float, Meta(gt=0, description="seconds without a flag after which an episode is over")] = 3600.0
    per_minute: Annotated[int, Meta(ge=1, description="answers of a group judged in a minute")] = 120


class _Trace(msgspec.Struct):
    """What was retrieved in a trace."""

    source: str
    documents: list[str]


class _Group(msgspec.Struct):
    """Answers of a service from a source: flags, and low retrieval scores."""

    answers: Flags = msgspec.field(default_factory=Flags)
    scores: Flags = msgspec.field(default_factory=Flags)
    usual: list[float] = []
    askers: dict[str, int] = {}
    """Who asks → when a low score of theirs counted last."""
    worst: list[tuple[float, Evidence]] = []
    minute: int = 0
    judged: int = 0


class _State(msgspec.Struct):
    traces: dict[str, _Trace] = {}
    groups: dict[str, _Group] = {}
    said: dict[str, list[str]] = {}
    """Digest of a sentence → content words of the question it first answered."""
    counts: bytes = b""
    seen: int = 0


class _Answer(NamedTuple):
    row: int
    answer: Text
    question: str
    documents: list[str]
    source: str


class Groundedness:
    """Follows each service and source."""

    streams = frozenset({"spans", "logs"})
    every_s = 0.0

    def __init__(self, config: Config) -> None:
        """Start without history."""
        self._config = config
        self._state = _State()
        self._rarity = Rarity()

    def observe(self, rows: Rows) -> Sequence[Finding]:
        """Return findings of the groups whose rate is high now."""
        if not sources(rows):
            return ()
        whom = Whom(rows)
        findings = self._retrievals(rows, whom)
        for answer in self._answers(rows, whom):
            findings += self._judge(rows, whom, answer)
        return folded(findings)

    def tick(self, now_ns: int, ask: Ask | None) -> Sequence[Finding]:  # noqa: ARG002  rates are told as answers come
        """Return nothing: rates are told as answers come."""
        return ()

    def save(self) -> bytes:
        """Return rates, traces in flight and the counts of words."""
        self._state.counts, self._state.seen = self._rarity.counts.tobytes(), self._rarity.seen
        return msgspec.msgpack.encode(self._state)

    def restore(self, state: bytes) -> None:
        """Go on from `state`; raises `ValueError`."""
        found = restored(state, _State)
        self._rarity = Rarity(found.counts, found.seen)
        self._state = found

    def _retrievals(self, rows: Rows, whom: Whom) -> list[Finding]:
        """Remember what was retrieved in which trace, and look at the scores."""
        if not rows.has(_FOUND):
            return []
        sources = rows.values(_SOURCE) if rows.has(_SOURCE) else [None] * rows.count
        documents: dict[int, list[str]] = {}
        for text in texts(rows, lambda source: range(rows.count) if source.field == _FOUND else ()):
            if text.role == DOCUMENT:
                documents.setdefault(text.row, []).append(text.text)
        for row, parts in documents.items():
            source = sources[row]
            trace = _Trace(source if isinstance(source, str) else "", _bounded(parts))
            if name := whom.trace(row):
                _remember(self._state.traces, name, trace, _TRACES)
            for part in trace.documents:
                self._rarity.learn(content(part))
        findings: list[Finding] = []
        for row, value in enumerate(rows.values(_FOUND)):
            best = _best_score(value)
            if best is not None:
                source = sources[row]
                findings += self._score(rows, whom, row, best, source if isinstance(source, str) else "")
        return findings

    def _answers(self, rows: Rows, whom: Whom) -> list[_Answer]:
        """Put questions, documents and answers of the same record together, where there are documents."""
        grounded = self._grounded(rows, whom)
        if not grounded:
            return []
        asked: dict[int, str] = {}
        tagged: dict[int, list[str]] = {}
        answers: dict[int, Text] = {}
        for text in texts(rows, lambda _: grounded):
            if text.role == USER:
                asked[text.row] = text.text
            elif text.role == DOCUMENT:
                tagged.setdefault(text.row, []).append(text.text)
            elif text.role == ASSISTANT and "output" in text.field:
                answers[text.row] = text
        out = []
        for row, answer in answers.items():
            trace = self._state.traces.get(whom.trace(row))
            documents = _bounded(tagged[row]) if row in tagged else trace.documents if trace else []
            if documents:
                out.append(_Answer(row, answer, asked.get(row, ""), documents, trace.source if trace else ""))
        return out

    def _grounded(self, rows: Rows, whom: Whom) -> list[int]:
        """Return the records that may be answers for which there are documents: their own, or those of their trace."""
        if not any("output" in source.field for source in sources(rows)):
            return []
        found = np.zeros(rows.count, dtype=bool)
        for source in sources(rows):
            found |= (screened(rows).flags(source.column) & TAG) > 0
            if source.role == DOCUMENT:
                found |= np.array([bool(value) for value in rows.values(source.column)])
        if self._state.traces:
            traces = self._state.traces
            found |= np.fromiter((whom.trace(row) in traces for row in range(rows.count)), dtype=bool, count=rows.count)
        return places(found)

    def _judge(self, rows: Rows, whom: Whom, given: _Answer) -> list[Finding]:
        config, at_ns = self._config, int(rows.times[given.row])
        group = self._group(whom.service(given.row), given.source)
        if at_ns // _MINUTE != group.minute:
            group.minute, group.judged = at_ns // _MINUTE, 0
        group.judged += 1
        answer = given.answer.text
        if group.judged > config.per_minute or is_refusal(answer) or _foreign(answer, given.documents):
            return []
        judged = support(answer, given.documents, given.question, self._rarity, self._is_phrase(given.question))
        if not judged.sentences:
            return []
        self._rarity.learn(set(words(answer)))
        flag = judged.score >= config.threshold
        if not group.answers.open and group.answers.sum <= 0:
            group.worst = []
        if flag:
            group.worst = sorted(
                [*group.worst, (judged.score, _evidence(rows, given, judged))], key=lambda pair: -pair[0]
            )[: MAX_EVIDENCE // 2]
        quiet_ns = int(config.quiet_s * 1e9)
        if not group.answers.add(at_ns, flag=flag, level=config.level, quiet_ns=quiet_ns):
            return []
        return [self._finding(rows, whom, given.row, group.answers, given.source, group.worst)]

    def _is_phrase(self, question: str) -> Callable[[str], bool]:
        """Return what tells whether a sentence was said to an unrelated question before: then it claims nothing."""
        asked = list(dict.fromkeys(words(question)))[:_ASKED]

        def is_phrase(sentence: str) -> bool:
            name = blake2b(sentence.encode("utf-8", "surrogatepass"), digest_size=6).hexdigest()
            before = self._state.said.get(name)
            if before is None:
                _remember(self._state.said, name, asked, _SENTENCES)
                return False
            return bool(before and asked) and set(before).isdisjoint(asked)

        return is_phrase

    def _score(self, rows: Rows, whom: Whom, row: int, best: float, source: str) -> list[Finding]:
        group, at_ns = self._group(whom.service(row), source), int(rows.times[row])
        low = _lowest(group.usual)
        flag = low is not None and best < low
        if not group.scores.open:
            group.usual = [*group.usual, best][-200:]
        if low is None or self._repeated(group, whom, row, at_ns, flag=flag):
            return []
        quiet_ns = int(self._config.quiet_s * 1e9)
        if not group.scores.add(at_ns, flag=flag, level=self._config.level, quiet_ns=quiet_ns, more=_MOST_SCORES):
            return []
        proofs = [(best, proof(rows, row, _FOUND, str(rows.values(_FOUND)[row])))]
        return [self._finding(rows, whom, row, group.scores, source, proofs, rule="retrieval_scores_dropped", low=low)]

    def _repeated(self, group: _Group, whom: Whom, row: int, at_ns: int, *, flag: bool) -> bool:
        """Whether a low score is of somebody whose low score counts already: what is broken is so for many askers."""
        who = whom.name("user", row) or whom.session(row)
        if not who:
            return False
        last = group.askers.get(who, 0)
        one_of_many = len(group.askers) >= _ASKERS and not group.scores.open
        if flag and one_of_many and group.scores.sum > 0 and last >= group.scores.since_ns:
            return True
        remember(group.askers, who, at_ns if flag else last, _MOST_ASKERS)
        return False

    def _group(self, service: str, source: str) -> _Group:
        return recent(self._state.groups, f"{service}\0{source}", _GROUPS, _Group)

    def _finding(
        self,
        rows: Rows,
        whom: Whom,
        row: int,
        flags: Flags,
        source: str,
        proofs: Sequence[tuple[float, Evidence]],
        rule: str = "unsupported_answers",
        low: float = 0.0,
    ) -> Finding:
        at_ns, total = int(rows.times[row]), flags.bad + flags.good
        interval = [round(bound, 3) for bound in wilson(flags.bad, total)]
        facts: dict[str, Any] = {"flagged": flags.bad, "judged": total, "flag_rate": round(flags.bad / total, 3)}
        facts |= {"interval_95": interval, "usual_flag_rate": round(flags.usual, 3)}
        if low:
            facts["usual_lowest_score"] = round(low, 4)
        service = whom.service(row)
        entities = [Entity("collection", source)] if source else []
        what = (
            "answers are not supported by their documents"
            if not low
            else "retrieval scores are far below what is usual"
        )
        return Finding(
            NAME,
            rule,
            f"{what}: {flags.bad} of {total} for {source or service or 'this service'}",
            Severity.HIGH if not low else Severity.MEDIUM,
            (service, source, str(flags.since_ns)),
            flags.since_ns,
            max(at_ns, flags.since_ns),
            max(at_ns, flags.since_ns),
            round(min(1.0, interval[0]), 3),
            (*entities, *whom.entities(row)),
            tuple(item for _, item in proofs),
            _TECHNIQUES,
            "",
            facts,
        )


def _evidence(rows: Rows, given: _Answer, judged: Support) -> Evidence:
    worst = max(judged.sentences, key=lambda sentence: sentence.score)
    return proof(rows, given.row, given.answer.field, given.answer.text, ((worst.start, worst.end),))


def _foreign(answer: str, documents: Sequence[str]) -> bool:
    """Return whether answer and documents are in different languages, which words cannot compare."""
    spoken, written = language(answer), language("\n".join(documents))
    return bool(spoken and written and spoken != written)


def _bounded(documents: Sequence[str]) -> list[str]:
    out, left = [], _DOCUMENTS
    for text in documents:
        if left <= 0:
            break
        out.append(text[:left])
        left -= len(text)
    return out


def _best_score(value: object) -> float | None:
    """Return the best score of the documents of a retrieval, if they carry any."""
    if isinstance(value, str):
        if '"score"' not in value:
            return None
        try:
            value = msgspec.json.decode(value)
        except (msgspec.DecodeError, UnicodeEncodeError, RecursionError):
            return None
    found = [item.get("score") for item in value if isinstance(item, dict)] if isinstance(value, list) else []
    scores = [float(score) for score in found if isinstance(score, int | float) and abs(score) < 1e9]
    return max(scores, default=None)


def _lowest(usual: Sequence[float]) -> float | None:
    """Return the score four robust deviations (median, MAD) below what is usual; None before there are thirty."""
    if len(usual) < 30:
        return None
    middle = median(usual)
    return middle - 4 * max(1.4826 * median(abs(score - middle) for score in usual), 0.02 * abs(middle))


def _remember(known: dict[str, T], key: str, value: T, limit: int) -> None:
    known[key] = value
    while len(known) > limit:
        del known[next(iter(known))]


def build(config: Config) -> Groundedness:
    """Return the detector."""
    return Groundedness(config)


_TEXT = "Every parent may take 20 weeks of paid parental leave. Tell your manager eight weeks ahead."
_GOOD, _WRONG = (
    "You may take 20 weeks of paid parental leave and have to tell your manager eight weeks ahead.",
    "Only mothers get a bonus of 1,500 euros, requested through form PL-7 on the payroll portal.",
)


def _answered(number: int, answer: str) -> dict[str, Any]:
    def messages(role: str, text: str) -> str:
        return msgspec.json.encode([{"role": role, "parts": [{"type": "text", "content": text}]}]).decode()

    question = f'<document id="leave">{_TEXT}</document>\n\nHow much leave do I get?'
    attributes = {
        "gen_ai.input.messages": messages("user", question),
        "gen_ai.output.messages": messages("assistant", answer),
    }
    return {
        "@timestamp": 1_795_000_000_000_000_000 + number * _MINUTE,
        "serviceName": "hr-bot",
        "traceId": f"{number:032x}",
        "attributes": attributes,
    }


EXAMPLES = (
    Example(
        "answers that nothing supports, one after the other",
        "spans",
        [_answered(number, _GOOD if number < 30 else _WRONG) for number in range(36)],
        ["unsupported_answers"],
    ),
    Example(
        "a single one among many",
        "spans",
        [_answered(number, _WRONG if number == 20 else _GOOD) for number in range(40)],
    ),
)
