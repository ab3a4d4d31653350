"""What `treering rules` shows: tables, cases that failed, what a back-test would have told."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from treering.cli._screen import console, safe

if TYPE_CHECKING:
    from collections.abc import Sequence

    from treering.app.rule_coverage import Technique
    from treering.app.rule_imports import Report
    from treering.app.rulebook import Backtest, Failed
    from treering.detect._rule_files import Rule

_SEVERITIES = {"critical": "bold red", "high": "red", "medium": "yellow", "low": "green", "informational": "dim"}
_STATES = {
    "proven": "green",
    "one case": "yellow",
    "drill only": "yellow",
    "claimed, untested": "yellow",
    "nothing": "red",
}
_SHOWN_REASONS = 20
_NARROW = 120
"""Columns of a screen below which a title stands under its name."""


def table(
    heads: Sequence[str], rows: Sequence[Sequence[str]], styles: Sequence[str] = (), *, wraps: bool = False
) -> None:
    """Print a table; `styles` are those of second cells; with `wraps` only its first and last columns are broken."""
    from rich.table import Table
    from rich.text import Text

    made = Table(show_edge=False, header_style="bold")
    for number, head in enumerate(heads):
        made.add_column(head, no_wrap=0 < number < len(heads) - 1 if wraps else not number)
    for number, row in enumerate(rows):
        cells = [Text("\n".join(map(safe, cell.split("\n")))) for cell in row]
        if styles:
            cells[1].stylize(styles[number])
        made.add_row(*cells)
    console().print(made)


def listed(rules: Sequence[Rule]) -> None:
    """Print rules, what they count, and how they are proven."""
    narrow = console().width < _NARROW
    table(
        ("rule", "severity", "cases") if narrow else ("rule", "severity", "counts", "cases", "title"),
        [_listed(rule, narrow=narrow) for rule in rules],
        [_SEVERITIES.get(rule.severity, "") for rule in rules],
        wraps=narrow,
    )


def _listed(rule: Rule, *, narrow: bool) -> tuple[str, ...]:
    if narrow:
        return f"{rule.id}\n{rule.title}, {_counts(rule)}", rule.severity, _cases(rule)
    return rule.id, rule.severity, _counts(rule), _cases(rule), rule.title


def _counts(rule: Rule) -> str:
    if rule.steps:
        return f"{len(rule.steps)} steps{'' if rule.ordered else ' in any order'} in {rule.window}"
    of = f" different {rule.distinct.removeprefix('attributes.')}" if rule.distinct else ""
    most = f" to {rule.at_most}" if rule.at_most else ""
    return f"{rule.threshold}{most}{of} in {rule.window}"


def _cases(rule: Rule) -> str:
    return f"{len(rule.tests.match)} + {len(rule.tests.no_match)}" if rule.tests is not None else "none"


def tested(rules: Sequence[Rule], failed: Sequence[Failed]) -> None:
    """Print which cases do not hold, and how many rules have none."""
    if failed:
        table(
            ("rule", "case", "should", "records"),
            [(item.rule, f"{item.kind} {item.number}", _should(item), str(item.records)) for item in failed],
            ["red"] * len(failed),
        )
    bare = sum(rule.tests is None for rule in rules)
    cases = sum(len(rule.tests.match) + len(rule.tests.no_match) for rule in rules if rule.tests is not None)
    note = f"; {bare} have no cases" if bare else ""
    console(stderr=True).print(
        f"{len(rules)} rules tested, {cases} cases, {len(failed)} do not hold{note}",
        style="red" if failed else "yellow" if bare else "green",
    )


def _should(item: Failed) -> str:
    return "be told, and is not" if item.kind == "match" else "not be told, and is"


def replayed(results: Sequence[Backtest], days: float) -> None:
    """Print what rules would have told, for whom, with records, and what asking cost."""
    cells = [
        {
            "rule": r.rule,
            "told": str(r.told),
            "a day": f"{r.told / max(days, 1):.1f}",
            "most in a day": str(max(r.days.values(), default=0)),
            "entities": str(len(r.entities)),
            "records": f"{r.hits:,}",
            "CPU": f"{r.cpu_s * 1e3:.0f} ms",
        }
        for r in results
    ]
    narrow = ("rule", "told", "a day", "records", "CPU")
    heads = narrow if console().width < _NARROW else tuple(cells[0]) if cells else ()
    table(
        heads,
        [[row[head] for head in heads] for row in cells],
        ["red" if r.told > 20 * max(days, 1) else "yellow" if r.told else "dim" for r in results],
    )
    screen = console(stderr=True)
    for result in results:
        for name, count in sorted(result.entities.items(), key=lambda pair: -pair[1])[:5]:
            screen.print(safe(f"{result.rule}: {count} × {name or '-'}"))
        for record in result.evidence[:2] if result.told else ():
            screen.print(safe(f"{result.rule}: {msgspec.json.encode(record).decode()[:200]}"), style="dim")
        if result.problem:
            screen.print(safe(f"{result.rule}: not asked of days without its fields: {result.problem}"), style="dim")


def imported(report: Report, *, dry: bool, hint: str) -> None:
    """Print what became of Sigma files."""
    screen = console(stderr=True)
    for refused in report.refused[:_SHOWN_REASONS]:
        screen.print(safe(f"refused {refused.where} {refused.title!r}: {refused.reason}"), style="yellow")
    if len(report.refused) > _SHOWN_REASONS:
        screen.print(f"… and {len(report.refused) - _SHOWN_REASONS} more; --format json names all")
    share = len(report.refused) / max(report.documents, 1)
    done = "would be written" if dry else f"written into {len(report.written)} files"
    screen.print(
        f"{report.documents} documents: {len(report.rules)} rules {done}, {len(report.refused)} refused ({share:.1%})",
        style="green" if not report.refused else "",
    )
    if hint and not dry:
        screen.print(hint, style="bold")


def covered(found: Sequence[Technique]) -> None:
    """Print the map: a table for each framework that has a list of ours, and a line for any other."""
    from treering.app.rule_coverage import edition_2025

    screen = console(stderr=True)
    frameworks = dict.fromkeys(technique.id.partition(":")[0] for technique in found)
    for framework in frameworks:
        rows = [technique for technique in found if technique.id.startswith(f"{framework}:")]
        if not any(technique.name for technique in rows):
            proven = sum(technique.state == "proven" for technique in rows)
            screen.print(f"{framework}: {len(rows)} techniques claimed, {proven} proven by a case", style="dim")
            continue
        narrow = screen.width < _NARROW
        more = ("rules", "detectors") if narrow else ("what", "rules", "detectors", "drills", "seen with")
        table(
            (framework, "state", *more),
            [_covered(technique, edition_2025(technique.id), narrow=narrow) for technique in rows],
            [_STATES.get(technique.state, "") for technique in rows],
        )
    counts = {state: sum(t.state == state for t in found if t.name) for state in _STATES}
    screen.print(", ".join(f"{count} {state}" for state, count in counts.items()))
    screen.print("proven: at least two cases of rules or examples of detectors show it, which are not all there are;")
    screen.print("drill only: `treering drill` has attacks for it. The rest is in --format markdown and json.")


def _covered(found: Technique, old: str, *, narrow: bool) -> tuple[str, ...]:
    from treering.app.rule_coverage import some

    proven = len(found.rules) - len(found.untested)
    name = found.id.partition(":")[2] + (f" ({old} in 2025)" if old else "")
    rules = f"{proven} of {len(found.rules)}" if found.rules else ""
    detectors = ", ".join(dict.fromkeys(name.partition(":")[0] for name in found.detectors))
    if narrow:
        return f"{name}\n{found.name}", found.state, rules, detectors
    return (
        name,
        found.state,
        found.name,
        rules,
        detectors,
        some(found.drills, 2),
        some([name.partition(":")[2] for name in found.related], 3),
    )
