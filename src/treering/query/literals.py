"""The texts that a regular expression cannot do without."""

from __future__ import annotations

import re

_PIECE = re.compile(
    r"(?P<escaped>\\[^A-Za-z0-9])|(?P<special>\\.)|(?P<class>\[\^?\]?(?:\\.|[^\]\\])*\])"
    r"|(?P<quantifier>[*?+]|\{\d*,?\d*\})|(?P<open>\()|(?P<close>\))|(?P<any>[.^$])|(?P<plain>.)",
    re.DOTALL,
)
_UNREAD = re.compile(r"\||\(\?(?![:=!<P])|\\[QEpPxu]|\[\[|&&")


def required(pattern: str) -> list[str]:
    """Return texts that everything has in which the pattern (Java's, RE2's) is found, in their order.

    Only what stands outside groups, classes and repetitions counts; a pattern with alternatives or flags needs nothing.
    """
    if _UNREAD.search(pattern):
        return []
    found, run, depth = [], "", 0
    for piece in _PIECE.finditer(pattern):
        kind, text = piece.lastgroup, piece[0]
        if kind in {"open", "close"}:
            depth += 1 if kind == "open" else -1
        if depth == 0 and kind in {"plain", "escaped"}:
            run += text[-1]
            continue
        if depth == 0 and kind == "quantifier" and text != "+" and not text.startswith(("{1", "{2")):
            run = run[:-1]
        found.append(run)
        run = ""
    return [text for text in (*found, run) if text]
