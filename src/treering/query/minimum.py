"""`minimum_should_match`: how many optional clauses of a full-text query must match."""

from __future__ import annotations

import re


def least_of(text: str, count: int) -> int:
    """Return how many of `count` optional clauses must match by a `minimum_should_match` such as `2`, `-1`, `75%`.

    Conditional forms (`2<-25% 9<-3`) take the last part whose number is below `count`. More than there are means that
    nothing matches; a clause alone is no choice, so it must match.
    """
    if "<" in text:
        chosen = str(count)
        for part in text.split():
            above, _, rest = part.partition("<")
            if above.isdecimal() and count > int(above):
                chosen = rest
        text = chosen
    found = re.fullmatch(r"(-?\d+)(%?)", text.strip())
    if found is None:
        return 1
    number = int(found[1])
    if found[2]:
        share = int(count * abs(number) / 100)
        number = share if number >= 0 else count - share
    elif number < 0:
        number = count + number
    return max(1, number) if count > 1 else 1
