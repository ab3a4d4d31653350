"""The post-mortem of an incident, from its record alone: no model writes it, and what the record does not say is asked.

Sections follow the template of Google's Site Reliability Engineering (Beyer and others, 2016, appendix D, and chapter
15). Every sentence carries what it rests on: findings, records (`stream/number`), queries, lines of the history.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from treering.model.times import format_ns
from treering.respond.document import Document, Prompt, Quote, Ref, Row, Section, Sentence, Table

if TYPE_CHECKING:
    from collections.abc import Iterable

    from treering.model.finding import Finding
    from treering.respond.casefile import CaseFile, Counted, Happened, Noted

MAX_LINES = 200
OURSELVES = "treering"
_NAMED = 5
_TRIGGER_NS = 3600 * 10**9
_WORDS = {"open": "opened", "acknowledged": "acknowledged", "resolved": "resolved", "closed": "closed"}


def build(case: CaseFile) -> Document:
    """Return the post-mortem of `case`. Raises `ValueError` for a case without findings."""
    if not case.findings:
        raise ValueError("an incident without findings has no post-mortem")
    sections = (
        Section("Summary", (*_summary(case), _header(case))),
        Section("Impact", _impact(case)),
        Section("Root causes and contributing factors", _causes(case)),
        Section("Trigger", _trigger(case)),
        Section("Detection", _detection(case)),
        Section("Resolution", _resolution(case)),
        Section("Timeline", (_timeline(case),)),
        Section("What changed", _changes(case)),
        Section("Charts", case.charts or (Prompt("No series could be drawn from the records of that time."),)),
        Section("Lessons learned", _lessons()),
        Section("Action items", _actions(case)),
    )
    return Document(f"Post-mortem of {case.incident.id}", sections, _about(case))


def _summary(case: CaseFile) -> tuple[Sentence, ...]:
    incident = case.incident
    every = _findings(case.findings)
    detectors = sorted({finding.detector for finding in case.findings})
    span = f"From {_at(incident.start_ns)} to {_at(incident.end_ns)}, {_long(incident.end_ns - incident.start_ns)}: "
    joined = f"{_many(len(case.findings), 'finding')} of {_many(len(detectors), 'detector')} ({', '.join(detectors)}) "
    found = [
        Sentence((span, Quote(incident.title), "."), (Ref("incident", incident.id), *every[:_NAMED])),
        Sentence((joined, f"make one incident of kind {incident.kind}, severity {incident.severity.value}."), every),
    ]
    for kind in dict.fromkeys(entity.kind for entity in incident.entities):
        names = [entity.value for entity in incident.entities if entity.kind == kind]
        holders = [f for f in case.findings if any(e.kind == kind for e in f.entities)]
        parts: list[str | Quote] = [f"It concerns {_many(len(names), kind)}: "]
        for number, name in enumerate(names[:_NAMED]):
            parts += [", " if number else "", Quote(name)]
        parts.append(f" and {len(names) - _NAMED} more." if len(names) > _NAMED else ".")
        found.append(Sentence(tuple(parts), _findings(holders)[:_NAMED] or every[:1]))
    return tuple(found[:14])


def _header(case: CaseFile) -> Table:
    incident = case.incident
    ref = (Ref("incident", incident.id),)
    rows = [
        ("State", incident.state.value),
        ("Owner", Quote(incident.owner) if incident.owner else "nobody"),
        ("Risk", f"{incident.risk:g} points"),
        ("Techniques", Quote(", ".join(incident.techniques)) if incident.techniques else "none named"),
        ("Evidence", f"{_many(len(case.kept), 'record')} frozen, SHA-256 of the bundle {case.bundle_sha256}"),
        ("Written", f"{_at(case.made_ns)} by treering, from the record alone"),
    ]
    return Table(("", ""), tuple(Row(cells, ref) for cells in rows))


def _impact(case: CaseFile) -> tuple[Sentence | Prompt, ...]:
    found: list[Sentence | Prompt] = [_counted(item) for item in case.impact]
    return (*found, Prompt("Who noticed, and what did it mean to them? Which promises (SLO, contract) were broken?"))


def _counted(item: Counted) -> Sentence:
    ref = (Ref("query", item.query),)
    if item.note:
        return Sentence((f"{item.name} could not be counted: ", Quote(item.note), "."), ref)
    values = [f"{'$' * (name == 'usd' and value is not None)}{_number(value)}" for name, value in item.row.items()]
    return Sentence((f"{item.name}: {', '.join(values)}.",), ref)


def _causes(case: CaseFile) -> tuple[Sentence | Prompt, ...]:
    ordered = sorted(case.findings, key=lambda f: (f.start_ns, f.fingerprint))
    found: list[Sentence | Prompt] = []
    for number, finding in enumerate(_first_of_rules(ordered)[:12]):
        lead = "The first sign" if not number else "Then"
        text = (f"{lead}, {_at(finding.start_ns)}: ", Quote(finding.title), f" ({finding.detector}, {finding.rule}).")
        found.append(Sentence(text, _shown(finding)))
    prompt = "What is the cause that these signs share? Signs in order of time are no proof of cause and effect."
    return (*found, Prompt(prompt), Prompt("What else had to be so for this to happen, or to get so far?"))


def _trigger(case: CaseFile) -> tuple[Sentence | Prompt, ...]:
    start = case.incident.start_ns
    before = [item for item in case.changes if start - _TRIGGER_NS <= item.time_ns <= start + 60 * 10**9]
    if not before:
        first = min(case.findings, key=lambda f: (f.start_ns, f.fingerprint))
        text = "No log line of the hour before the first sign tells of a change."
        return (Sentence((text,), _shown(first)), Prompt("What set it off?"))
    last = max(before, key=lambda item: (item.time_ns, item.ref))
    text = f"The last change before the first sign, {_long(abs(start - last.time_ns))} away, is "
    said = Sentence((text, *_line(last), "."), (Ref("record", last.ref),))
    return (said, Prompt("Did it set this off? Nearness in time is a lead, not a proof."))


def _detection(case: CaseFile) -> tuple[Sentence | Prompt, ...]:
    incident = case.incident
    first = min(case.findings, key=lambda f: (f.noticed_ns, f.fingerprint))
    gap = max(0, incident.noticed_ns - incident.start_ns)
    text = f"{first.detector} ({first.rule}) noticed it {_at(first.noticed_ns)}, {_long(gap)} after its first record: "
    found: list[Sentence | Prompt] = [Sentence((text, Quote(first.title), "."), _shown(first))]
    if case.told:
        told = min(case.told, key=lambda item: item.at_ns)
        text = f"The first alert reached the receiver {told.receiver} {_at(told.at_ns)}."
        found.append(Sentence((text,), (Ref("delivery", told.delivery),)))
    else:
        text = "No alert about it was delivered to anybody."
        found.append(Sentence((text,), (Ref("incident", incident.id),)))
    people = [item for item in case.noted if item.actor != OURSELVES]
    if people:
        one = min(people, key=lambda item: item.number)
        parts = ("The first person to act was ", Quote(one.actor), f", {_at(one.at_ns)}.")
        found.append(Sentence(parts, (Ref("history", str(one.number)),)))
    return (*found, Prompt("Could it have been noticed sooner? By what query, rule or threshold?"))


def _resolution(case: CaseFile) -> tuple[Sentence | Prompt, ...]:
    found: list[Sentence | Prompt] = []
    for item in case.noted:
        if item.what == "state" and item.after in {"resolved", "closed"}:
            parts = (f"{_WORDS[item.after].capitalize()} {_at(item.at_ns)} by ", Quote(item.actor), ".")
            found.append(Sentence(parts, (Ref("history", str(item.number)),)))
    end = case.incident.end_ns
    near = [change for change in case.changes if abs(change.time_ns - end) <= 900 * 10**9]
    found += [
        Sentence((f"Around its end, {_at(change.time_ns)}: ", *_line(change), "."), (Ref("record", change.ref),))
        for change in near[:_NAMED]
    ]
    if not found:
        last = max(case.findings, key=lambda f: (f.end_ns, f.fingerprint))
        found.append(Sentence((f"It is not resolved; the last sign is of {_at(last.end_ns)}.",), _shown(last)))
    return (*found, Prompt("What ended it, and is it gone or only quiet?"))


def _timeline(case: CaseFile) -> Table:
    known = {finding.fingerprint: finding for finding in case.findings}
    lines: list[tuple[int, int, Row]] = []
    for moment in case.incident.timeline:
        finding = known.get(moment.finding)
        refs = _shown(finding) if finding is not None else (Ref("finding", moment.finding),)
        lines.append(
            (
                moment.time_ns,
                0,
                Row((_at(moment.time_ns), case.stages.get(moment.tactic, moment.tactic), Quote(moment.text)), refs),
            )
        )
    for item in case.changes:
        row = Row((_at(item.time_ns), "change", Quote(f"{item.service}: {item.text}")), (Ref("record", item.ref),))
        lines.append((item.time_ns, 1, row))
    lines += [
        (noted.at_ns, 2, Row((_at(noted.at_ns), _side(noted), Quote(_deed(noted))), _history(noted)))
        for noted in case.noted
    ]
    for told in case.told:
        cells = (_at(told.at_ns), "alert", f"delivered to {told.receiver}")
        lines.append((told.at_ns, 3, Row(cells, (Ref("delivery", told.delivery),))))
    ordered = sorted(lines, key=lambda line: (line[0], line[1]))
    return Table(("Time (UTC)", "Stage", "What"), tuple(row for _, _, row in ordered[:MAX_LINES]))


def _changes(case: CaseFile) -> tuple[Sentence | Prompt, ...]:
    if not case.changes:
        ref = (Ref("incident", case.incident.id),)
        return (Sentence(("No log line of that time tells of a rollout, a reload, a rebuild or a new key.",), ref),)
    return tuple(
        Sentence((f"{_at(item.time_ns)} ", *_line(item), "."), (Ref("record", item.ref),)) for item in case.changes[:30]
    )


def _lessons() -> tuple[Prompt, ...]:
    return (
        Prompt("What went well?"),
        Prompt("What went wrong?"),
        Prompt("Where were we lucky?"),
        Prompt("How did it make sense to do what was done, to those who did it? (Ask them; name no culprits.)"),
    )


def _actions(case: CaseFile) -> tuple[Table | Prompt, ...]:
    rows = []
    for todo in case.todo:
        state = todo.state if todo.state != "open" else "open"
        who: str | Quote = Quote(todo.actor) if todo.actor else ""
        cells = (f"{todo.step} (playbook {todo.playbook})", "mitigate", who, "", state)
        rows.append(Row(cells, (Ref("incident", case.incident.id),)))
    empty = Row(("…", "prevent | mitigate | detect | process", "", "", "open"))
    table = Table(("Action", "Type", "Owner", "Priority", "State"), (*rows, empty))
    return (table, Prompt("Each action has one owner, a priority, and a way to tell that it is done."))


def _about(case: CaseFile) -> dict[Ref, tuple[str | Quote, ...]]:
    found: dict[Ref, tuple[str | Quote, ...]] = {}
    for finding in case.findings:
        shown = ", ".join(_record(item.stream, item.seq, item.source) for item in finding.evidence[:3])
        about = (
            Quote(finding.title),
            f"; {finding.detector}, {finding.rule}, seen {finding.count} times",
            ", shown by ",
        )
        found[Ref("finding", finding.fingerprint)] = (*about, Quote(shown or "nothing kept"))
    for kept in case.kept:
        found[Ref("record", kept.ref)] = (f"{_at(kept.time_ns)}, frozen, SHA-256 {kept.sha256}",)
    for noted in case.noted:
        found[Ref("history", str(noted.number))] = (f"{_at(noted.at_ns)} ", Quote(_deed(noted)))
    return found


def _shown(finding: Finding) -> tuple[Ref, ...]:
    """Return a finding and the first records that show it."""
    records = [Ref("record", _record(e.stream, e.seq, e.source)) for e in finding.evidence[:2]]
    return (Ref("finding", finding.fingerprint), *dict.fromkeys(records))


def _record(stream: str, seq: int, source: str) -> str:
    return f"{stream}/{seq}" if seq >= 0 else source or stream


def _findings(findings: Iterable[Finding]) -> tuple[Ref, ...]:
    return tuple(Ref("finding", finding.fingerprint) for finding in findings)


def _first_of_rules(ordered: Iterable[Finding]) -> list[Finding]:
    found: dict[tuple[str, str], Finding] = {}
    for finding in ordered:
        found.setdefault((finding.detector, finding.rule), finding)
    return list(found.values())


def _history(item: Noted) -> tuple[Ref, ...]:
    return (Ref("history", str(item.number)),)


def _side(item: Noted) -> str:
    return "treering" if item.actor == OURSELVES else "people"


def _deed(item: Noted) -> str:
    if item.what == "state":
        return f"{item.actor} {_WORDS.get(item.after, item.after)} it"
    if item.what == "comment":
        return f"{item.actor}: {item.after}"
    if item.what == "owner":
        return f"{item.actor} gave it to {item.after or 'nobody'}"
    if item.what == "merged":
        return f"{item.before} became part of it"
    return f"{item.actor}: {item.what} {item.before} {item.after}".strip()


def _line(item: Happened) -> tuple[str | Quote, ...]:
    return (Quote(item.text), " (", Quote(item.service or "no service named"), ")")


def _at(ns: int) -> str:
    return format_ns(ns // 10**9 * 10**9).replace("T", " ").removesuffix("Z")


def _long(ns: int) -> str:
    seconds = ns // 10**9
    if seconds < 120:
        return _many(seconds, "second")
    if seconds < 7200:
        return _many(round(seconds / 60), "minute")
    return f"{seconds / 3600:.1f} hours"


def _many(count: int, word: str) -> str:
    plural = {"address": "addresses", "process": "processes", "class": "classes"}.get(word, f"{word}s")
    return f"{count} {word if count == 1 else plural}"


def _number(value: object) -> str:
    if isinstance(value, bool) or value is None:
        return "unknown" if value is None else str(value)
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:,.4g}" if isinstance(value, float) else str(value)
