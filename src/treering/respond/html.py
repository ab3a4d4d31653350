"""A document as one HTML file: no script, no request to anywhere, text of strangers escaped, charts as inline SVG."""

from __future__ import annotations

import html
import re
from typing import TYPE_CHECKING

from treering.respond.document import Prompt, Quote, Ref, Sentence, Table
from treering.respond.svg import chart

if TYPE_CHECKING:
    from collections.abc import Sequence

    from treering.respond.document import Document, Section

# For whoever serves the file; the same stands in the file itself.
POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
_LONGEST = 2000
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]")
_STYLE = """
body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#1b1f23;background:#fff}
h1{font-size:1.6rem}h2{font-size:1.2rem;margin-top:2rem;border-bottom:1px solid #ccc}
table{border-collapse:collapse;width:100%}td,th{border:1px solid #ccc;padding:.25rem .5rem;text-align:left;
vertical-align:top}q{quotes:none;background:#f2f2ee;padding:0 .2rem;unicode-bidi:isolate;overflow-wrap:anywhere}
code{overflow-wrap:anywhere}.ask{color:#5a4a00;background:#fff8dc;padding:.4rem .6rem;border-left:3px solid #c9a400}
sup{font-size:.75em}svg{max-width:100%;height:auto}
@media(prefers-color-scheme:dark){body{color:#e4e4e0;background:#17191b}q{background:#2a2d30}
.ask{color:#f0e0a0;background:#332d14}td,th,h2{border-color:#555}}
"""


def render(document: Document) -> str:
    """Return the document as a whole HTML page."""
    numbers = {ref: number for number, ref in enumerate(document.references(), 1)}
    body = [f"<h1>{_own(document.title)}</h1>"]
    for section in document.sections:
        body += [f"<h2>{_own(section.title)}</h2>", *_section(section, numbers)]
    body.append("<h2>References</h2><ol>")
    for ref, number in numbers.items():
        about = _text(document.about.get(ref, ()))
        value = f"<code>{_foreign(ref.value)}</code>"
        body.append(f'<li id="r{number}">{_own(ref.kind)} {value}{": " if about else ""}{about}</li>')
    body.append("</ol>")
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="content-security-policy" content="{html.escape(POLICY)}">'
        '<meta name="viewport" content="width=device-width"><meta name="referrer" content="no-referrer">'
        f"<title>{_own(document.title)}</title><style>{_STYLE}</style></head><body>\n"
        + "\n".join(body)
        + "\n</body></html>\n"
    )


def _section(section: Section, numbers: dict[Ref, int]) -> list[str]:
    found = []
    for part in section.parts:
        if isinstance(part, Sentence):
            found.append(f"<p>{_text(part.text)} {_marks(part.refs, numbers)}</p>")
        elif isinstance(part, Prompt):
            found.append(f'<p class="ask">{_own(part.text)}</p>')
        elif isinstance(part, Table):
            found.append(_table(part, numbers))
        else:
            mark = _marks((Ref("query", part.query),), numbers)
            found.append(f"<figure>{chart(part)}<figcaption>{_own(part.title)} {mark}</figcaption></figure>")
    return found


def _text(parts: Sequence[str | Quote]) -> str:
    return "".join(f"<q>{_foreign(part.text)}</q>" if isinstance(part, Quote) else _own(part) for part in parts)


def _own(text: str) -> str:
    return html.escape(_visible(text))


def _foreign(text: str) -> str:
    shown = text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"
    return html.escape(_visible(shown)) or "(empty)"


def _visible(text: str) -> str:
    clean = _CONTROL.sub(lambda found: f"\\u{ord(found[0]):04x}", text)
    return clean.encode("utf-8", "replace").decode()


def _marks(refs: Sequence[Ref], numbers: dict[Ref, int]) -> str:
    shown = ", ".join(f'<a href="#r{numbers[ref]}">{numbers[ref]}</a>' for ref in refs[:8])
    more = f", and {len(refs) - 8} more" if len(refs) > 8 else ""
    return f"<sup>[{shown}{more}]</sup>"


def _table(table: Table, numbers: dict[Ref, int]) -> str:
    head = "".join(f"<th>{_own(name)}</th>" for name in (*table.columns, ""))
    rows = []
    for row in table.rows:
        cells = "".join(f"<td>{_text((cell,))}</td>" for cell in row.cells)
        rows.append(f"<tr>{cells}<td>{_marks(row.refs, numbers) if row.refs else ''}</td></tr>")
    return f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table>"
