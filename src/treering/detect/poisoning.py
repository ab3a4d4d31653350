"""Poisoned corpora: floods of like documents, hubs, triggers, hidden text, sudden sources.

A collection is first learnt: until it has been asked 200 questions over an hour, or shown 40 documents as writes, what
it holds is usual, and where a quarter of what is retrieved has never been seen before it stays so: then the corpus is
larger than what can be remembered. After that a document that was not there is new. Floods are groups of nearly equal
new documents (MinHash, Broder 1997) in a collection that has few of them; a hub is a new document that is retrieved for
very different questions far more often than any other (Radovanović, Nanopoulos and Ivanović, Hubs in space, JMLR 2010);
a trigger is a run of words with one that no earlier document has, shared by new documents that are otherwise different;
a sudden source is new, brings many documents and is retrieved at once. Hidden text is read by the phrases of `prompts`;
what is put into a memory is told by `memory_writes`.

Misses: a single document that reads like any other (only what it causes shows), floods that are slower than a day,
triggers made of usual words, writes whose content is not in the telemetry.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import msgspec
from msgspec import Meta

from treering.core.config import Config as BaseConfig
from treering.detect import _poisoning_examples, _prompt_scan
from treering.detect._corpora import Shown, shown
from treering.detect._corpus_state import (
    MOST_QUERIES,
    Asked,
    Collection,
    Document,
    Group,
    Phrase,
    Reference,
    Source,
    State,
    kept,
    reference,
)
from treering.detect._fold import folded
from treering.detect._sketch import alike, bands, runs, sketch, words
from treering.detect._whom import Whom, proof, restored
from treering.model.finding import Entity, Finding, Severity

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from treering.model.finding import Evidence
    from treering.model.rows import Rows
    from treering.stage.detector import Ask

NAME = "poisoning"
ORDER_FREE = False
"""What is new depends on what was there before."""
EXAMPLES = _poisoning_examples.EXAMPLES
_DAY_NS, _WEEK_NS = 86_400 * 10**9, 7 * 86_400 * 10**9
_ALIKE, _USUALLY_LIKE, _LONG_TAIL, _SAME_QUESTION = 0.5, 0.1, 0.25, 0.4
_LEARNT_WRITES, _RUN, _MOST_TOLD = 40, 3, 4_096
_HIDDEN = re.compile(
    r"<!--(.{12,2000}?)-->"
    r"|<[a-z][^<>]{0,300}(?:display\s*:\s*none|visibility\s*:\s*hidden|font-size\s*:\s*0|opacity\s*:\s*0"
    r"|color\s*:\s*(?:white|#fff(?:fff)?)\b)[^<>]{0,300}>(.{12,2000}?)</",
    re.IGNORECASE | re.DOTALL,
)
_ADDRESSED = re.compile(r"\b(?:assistant|ai|llm|chatbot|language model)\b", re.IGNORECASE)
_READER = r"(?:ai|assistants?|llms?|chatbots?|(?:language )?models?)(?: (?:assistants?|models?|agents?|readers?))?"
_ORDERED = re.compile(
    rf"(?:^|[.!\n]|\bto (?:the|any|all) |\bdear ) {{0,3}}{_READER} {{0,2}}(?:[:,]|must\b|should\b|reading\b)"
    r".{0,200}?\b(?:do not|don't|must|always|never|instead|ignore|disregard|tell|reply|instruct|recommend|say|send)\b",
    re.IGNORECASE | re.DOTALL,
)
_SAID = {
    "document_flood": (Severity.HIGH, "AML.T0070"),
    "hub_document": (Severity.HIGH, "AML.T0070"),
    "trigger_phrase": (Severity.MEDIUM, "AML.T0071"),
    "hidden_text": (Severity.HIGH, "AML.T0066"),
    "sudden_source": (Severity.MEDIUM, "AML.T0070"),
}
"""Rule → severity and ATLAS technique."""


class Config(BaseConfig, frozen=True):
    """When new documents are odd."""

    questions: Annotated[int, Meta(ge=1, description="questions after which a collection is known")] = 200
    learn_s: Annotated[float, Meta(ge=0, description="seconds after which a collection is known")] = 3600.0
    flood: Annotated[int, Meta(ge=3, description="nearly equal new documents within a day that are a flood")] = 12
    hub: Annotated[int, Meta(ge=3, description="very different questions for which a hub is retrieved")] = 15
    times: Annotated[float, Meta(gt=1, description="times the share of questions of nearly all others")] = 3.0
    trigger: Annotated[int, Meta(ge=3, description="new documents that share a rare run of words")] = 5
    source: Annotated[int, Meta(ge=3, description="documents that a sudden source brings within a day")] = 10
    threshold: Annotated[float, Meta(gt=0, le=1, description="score from which hidden text is told")] = 0.6


class _Said(NamedTuple):
    """What is to be said of a document: the records that show it, as references or as evidence."""

    rule: str
    title: str
    key: tuple[str, ...]
    facts: dict[str, Any]
    shown: Sequence[Reference] = ()
    since_ns: int = 0
    evidence: tuple[Evidence, ...] = ()


class Poisoning:
    """Follows collections."""

    streams = frozenset({"spans", "logs"})
    every_s = 0.0

    def __init__(self, config: Config) -> None:
        """Start without history."""
        self._config = config
        self._state = State()
        self._scanner = _prompt_scan.scanner()

    def observe(self, rows: Rows) -> Sequence[Finding]:
        """Return what the documents and memories of a batch show."""
        whom = Whom(rows)
        found = list[Finding]()
        row = -1
        for item in shown(rows):
            known = self._state.of(item.collection, int(rows.times[item.row]))
            known.events += item.row != row and not item.written
            row = item.row
            found += self._document(rows, whom, item, known)
        return folded(found)

    def tick(self, now_ns: int, ask: Ask | None) -> Sequence[Finding]:  # noqa: ARG002  nothing is due by time
        """Return nothing: all is said when it is seen."""
        return ()

    def save(self) -> bytes:
        """Return what is known of collections."""
        return msgspec.msgpack.encode(self._state)

    def restore(self, state: bytes) -> None:
        """Go on from `state`; raises `ValueError`."""
        self._state = restored(state, State)

    def _document(self, rows: Rows, whom: Whom, item: Shown, known: Collection) -> list[Finding]:
        at_ns = int(rows.times[item.row])
        name = item.id or _prompt_scan.digest(item.text)
        held = known.documents.pop(name, None)
        fresh = held is None
        if held is None:
            held = Document(at_ns, self._is_known(known, at_ns, item), since=known.events, source=item.source)
        known.documents[name] = held
        found: list[Finding] = []
        if not (fresh or held.new or item.source):
            held.events += not item.written
            known.retrieved(fresh=False)
            return found
        seen = reference(rows, item, whom.trace(item.row))
        if fresh and item.text:
            found += self._text(rows, whom, item, known, held, seen)
        if item.source:
            found += self._source(rows, whom, item, known, fresh, seen)
        if not item.written:
            known.retrieved(fresh)
            held.events += 1
            if held.new and item.query:
                found += self._asked(rows, whom, item, known, held, seen)
        known.forget()
        return found

    def _is_known(self, known: Collection, at_ns: int, item: Shown) -> bool:
        """Whether a document that was not there before is new."""
        if item.written and known.texts >= _LEARNT_WRITES:
            return True
        asked = known.events >= self._config.questions and at_ns - known.first_ns >= self._config.learn_s * 1e9
        return asked and known.fresh < _LONG_TAIL

    def _text(
        self, rows: Rows, whom: Whom, item: Shown, known: Collection, held: Document, seen: Reference
    ) -> Iterator[Finding]:
        """Look at the text of a document that was not there before."""
        spoken = words(item.text)
        name, group = self._grouped(item, known, spoken, seen)
        usual = known.like / known.texts if known.texts else 0.0
        known.texts += 1
        yield from self._hidden(rows, whom, item)
        if held.new:
            yield from self._flood(rows, whom, item, group, usual)
            yield from self._triggers(rows, whom, item, known, spoken, name, seen)
        else:
            known.like += group.documents > 1
        known.learn(spoken)

    def _grouped(self, item: Shown, known: Collection, spoken: list[str], seen: Reference) -> tuple[str, Group]:
        """Return the group of nearly equal documents that the text belongs to, with it."""
        made, at_ns = sketch(spoken), seen.time_ns
        keys = bands(made)
        near = dict.fromkeys(name for key in keys if (name := known.bands.get(key)) in known.groups)
        name = next((one for one in near if alike(known.groups[one].sketch, made) >= _ALIKE), "")
        if not name:
            name = str(keys[0])
            known.bands |= dict.fromkeys(keys, name)
        group = known.groups.pop(name, None) or Group(made, at_ns)
        known.groups[name] = group
        if at_ns - group.first_ns > _DAY_NS:
            group.first_ns, group.documents, group.told, group.shown = at_ns, 0, 0, []
        group.documents += 1
        if item.source and item.source not in group.sources and len(group.sources) < MOST_QUERIES:
            group.sources = [*group.sources, item.source]
        group.shown = kept(group.shown, seen)
        return name, group

    def _flood(self, rows: Rows, whom: Whom, item: Shown, group: Group, usual: float) -> Iterator[Finding]:
        if group.documents < max(self._config.flood, 2 * group.told) or usual > _USUALLY_LIKE:
            return
        group.told = group.documents
        facts = {"documents": group.documents, "usually_alike": round(usual, 3), "sources": group.sources}
        title = f"{group.documents} nearly equal documents came into {item.collection or 'a collection'}"
        key = (item.collection, str(group.first_ns))
        yield self._finding(rows, whom, item, _Said("document_flood", title, key, facts, group.shown, group.first_ns))

    def _triggers(
        self, rows: Rows, whom: Whom, item: Shown, known: Collection, spoken: list[str], name: str, seen: Reference
    ) -> Iterator[Finding]:
        """Note runs of words with one that no earlier document has; several documents with it are told.

        Nearly equal documents, which are called `name` together, share everything and count as one.
        """
        rare = {word for word in set(spoken) if len(word) > 1 and not word.isdigit() and not known.knows(word)}
        for at, run in enumerate(runs(spoken, _RUN)):
            if rare.isdisjoint(spoken[at : at + _RUN]) and run not in known.phrases:
                continue
            held = known.phrases.pop(run, None) or Phrase([], " ".join(spoken[at : at + _RUN]), seen.time_ns)
            known.phrases[run] = held
            if name in held.documents:
                continue
            held.documents = [*held.documents, name][-MOST_QUERIES:]
            held.shown = kept(held.shown, seen)
            if len(held.documents) < self._config.trigger or held.told:
                continue
            held.told = True
            if self._is_template(known, held):
                continue
            facts = {"phrase": held.text, "documents": len(held.documents)}
            title = f"{len(held.documents)} new documents share the words {held.text!r}, which no earlier one has"
            key = (item.collection, *sorted(held.documents)[:1])
            yield self._finding(rows, whom, item, _Said("trigger_phrase", title, key, facts, held.shown, held.first_ns))

    def _is_template(self, known: Collection, phrase: Phrase) -> bool:
        """Whether the documents of a phrase share many others: then they are of one form."""
        mine = set(phrase.documents)
        return sum(len(mine.intersection(other.documents)) >= len(mine) - 1 for other in known.phrases.values()) > 12

    def _hidden(self, rows: Rows, whom: Whom, item: Shown) -> Iterator[Finding]:
        for match in _HIDDEN.finditer(item.text):
            text = next(part for part in match.groups() if part)
            verdict = self._scanner.verdicts([("user", text)])[0]
            score = verdict.score if verdict is not None else 0.0
            ordered = _ORDERED.search(text.strip()) or (score and _ADDRESSED.search(text))
            if score < self._config.threshold and not ordered:
                continue
            start = match.start(match.lastindex or 0)
            shown_at = proof(rows, item.row, item.field, item.text, ((start, start + len(text)),))
            title = f"{item.id or 'a document'} hides instructions from its readers"
            key = (item.collection, item.id or _prompt_scan.digest(item.text))
            said = _Said("hidden_text", title, key, {"hidden": text[:200]}, evidence=(shown_at,))
            yield self._finding(rows, whom, item, said)
            return

    def _source(
        self, rows: Rows, whom: Whom, item: Shown, known: Collection, fresh: bool, seen: Reference
    ) -> Iterator[Finding]:
        """Tell a source that is new, brings many documents and is retrieved at once."""
        held = known.sources.pop(item.source, None)
        if held is None:
            new = bool(known.sources) and self._is_known(known, seen.time_ns, item)
            held = Source(seen.time_ns, new, since=known.events)
        known.sources[item.source] = held
        held.documents += fresh
        held.events += not item.written
        if not held.new or held.told or seen.time_ns - held.first_ns > _DAY_NS:
            return
        if fresh:
            held.shown = kept(held.shown, seen)
        asked = known.events - held.since
        if held.documents < self._config.source or held.events < 2 * self._config.source or held.events * 4 < asked:
            return
        held.told = True
        facts = {"documents": held.documents, "retrieved": held.events, "questions": asked}
        title = f"{item.source}, a new source, brought {held.documents} documents that are retrieved at once"
        key = (item.collection, item.source)
        yield self._finding(rows, whom, item, _Said("sudden_source", title, key, facts, held.shown, held.first_ns))

    def _asked(
        self, rows: Rows, whom: Whom, item: Shown, known: Collection, held: Document, seen: Reference
    ) -> Iterator[Finding]:
        """Tell a new document that is retrieved for very different questions, far more often than others."""
        name = item.id or _prompt_scan.digest(item.text)
        if seen.time_ns - held.first_ns > _WEEK_NS:
            return
        known.asked[name] = asked = known.asked.pop(name, None) or Asked()
        spoken = sorted({hash_ for word in words(item.query) if len(word) > 4 for hash_ in runs([word], 1)})[:16]
        if not spoken or any(_overlap(spoken, other) > _SAME_QUESTION for other in asked.queries):
            return
        asked.queries = [*asked.queries, spoken][-MOST_QUERIES:]
        asked.who = [*dict.fromkeys((*asked.who, item.who))][-MOST_QUERIES:]
        asked.shown = kept(asked.shown, seen)
        different, questions = len(asked.queries), max(1, known.events - held.since)
        if different < max(self._config.hub, 2 * held.told) or len(asked.who) < 3:
            return
        others = sorted(
            one.events / max(1, known.events - one.since) for one in known.documents.values() if one is not held
        )
        usual = others[int(0.95 * (len(others) - 1))] if others else 1.0
        share = held.events / questions
        if share < self._config.times * usual or share < 0.2:
            return
        held.told = different
        facts = {"questions": different, "askers": len(asked.who), "share": round(share, 3), "usual": round(usual, 3)}
        title = f"{name}, a new document, is retrieved for {different} very different questions"
        key = (item.collection, name)
        yield self._finding(rows, whom, item, _Said("hub_document", title, key, facts, asked.shown, held.first_ns))

    def _finding(self, rows: Rows, whom: Whom, item: Shown, said: _Said) -> Finding:
        severity, technique = _SAID[said.rule]
        at_ns = int(rows.times[item.row])
        named = [Entity("document", item.id)] if item.id else []
        named += [Entity("collection", item.collection)] if item.collection else []
        named += [Entity("source", item.source)] if item.source else []
        evidence = said.evidence or tuple(one.evidence() for one in said.shown)
        return Finding(
            NAME, said.rule, said.title, severity, said.key, min(said.since_ns or at_ns, at_ns), at_ns, at_ns, 1.0,
            (*named, *whom.entities(item.row)), evidence, ("owasp-llm@2026:LLM05", f"mitre-atlas@2026.09:{technique}"),
            "AML.TA0006", said.facts,
        )  # fmt: skip


def _overlap(one: Sequence[int], other: Sequence[int]) -> float:
    """Return which share of the words of the shorter question the other one has too."""
    return len(set(one) & set(other)) / min(len(one), len(other))


def build(config: Config) -> Poisoning:
    """Return the detector."""
    return Poisoning(config)
