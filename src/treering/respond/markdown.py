"""A document as Markdown in which nothing that a log says is markup, a link or HTML (CommonMark 0.31, GFM 0.29).

Text of strangers stands in code spans: there backslashes, angle brackets and addresses are only themselves, also for
renderers that make links of bare addresses. The fence is longer than any run of backticks within.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from treering.respond.casefile import Series
from treering.respond.document import Prompt, Quote, Sentence, Table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from treering.respond.document import Document, Ref, Section

_LONGEST = 500
# Controls and what reorders or hides text.
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]")
_RUN = re.compile("`+")


def render(document: Document) -> str:
    """Return the document as Markdown."""
    numbers = {ref: number for number, ref in enumerate(document.references(), 1)}
    lines = [f"# {document.title}", ""]
    for section in document.sections:
        lines += [f"## {section.title}", "", *_section(section, numbers)]
    lines += ["## References", ""]
    for ref, number in numbers.items():
        about = document.about.get(ref, ())
        lines.append(f"{number}. {ref.kind} {code(ref.value)}{': ' if about else ''}{_text(about)}")
    return "\n".join(lines) + "\n"


def _section(section: Section, numbers: dict[Ref, int]) -> list[str]:
    lines: list[str] = []
    for part in section.parts:
        if isinstance(part, Sentence):
            lines += [f"{_text(part.text)} {_marks(part.refs, numbers)}", ""]
        elif isinstance(part, Prompt):
            lines += [f"> _{part.text}_", ""]
        elif isinstance(part, Table):
            lines += [*_table(part, numbers), ""]
        else:
            lines += [*_series(part, numbers), ""]
    return lines


def _text(parts: Sequence[str | Quote]) -> str:
    return "".join(code(part.text) if isinstance(part, Quote) else part for part in parts)


def code(text: str) -> str:
    """Return text of strangers as one code span, at most 500 characters, never empty."""
    clean = _CONTROL.sub(lambda found: f"\\u{ord(found[0]):04x}", text.replace("\n", " ").replace("\r", " "))
    clean = clean if len(clean) <= _LONGEST else clean[: _LONGEST - 1] + "…"
    # Surrogates cannot be written as UTF-8; a code span of spaces alone would keep them, an empty one is none.
    clean = clean.encode("utf-8", "replace").decode().strip() or "(empty)"
    fence = "`" * (max((len(run) for run in _RUN.findall(clean)), default=0) + 1)
    space = " " if clean[0] == "`" or clean[-1] == "`" else ""
    return f"{fence}{space}{clean}{space}{fence}"


def _marks(refs: Sequence[Ref], numbers: dict[Ref, int]) -> str:
    shown = ", ".join(str(numbers[ref]) for ref in refs[:8])
    more = f", and {len(refs) - 8} more" if len(refs) > 8 else ""
    return f"\\[{shown}{more}\\]"


def _table(table: Table, numbers: dict[Ref, int]) -> list[str]:
    lines = [f"| {' | '.join(table.columns)} | |", f"|{'---|' * (len(table.columns) + 1)}"]
    for row in table.rows:
        cells = [_text((cell,)).replace("|", "\\|") for cell in row.cells]
        lines.append(f"| {' | '.join(cells)} | {_marks(row.refs, numbers) if row.refs else ''} |")
    return lines


def _series(series: Series, numbers: dict[Ref, int]) -> list[str]:
    from treering.respond.document import Ref

    values = [value for _, value in series.points]
    spark = sparkline(values)
    peak = f"{max(values, default=0):.4g} {series.unit}".strip()
    return [f"{series.title}: {spark} (highest {peak}) {_marks((Ref('query', series.query),), numbers)}"]


def sparkline(values: Sequence[float]) -> str:
    """Return the course of values as block characters, at most 60 of them."""
    if not values:
        return "no data"
    step = max(1, -(-len(values) // 60))
    held = [max(values[start : start + step]) for start in range(0, len(values), step)]
    low, high = min(0.0, *held), max(held)
    span = (high - low) or 1.0
    return "".join("▁▂▃▄▅▆▇█"[min(7, int((value - low) / span * 7.999))] for value in held)
