"""Many literals as one table that reads a text byte by byte (Aho and Corasick 1975, as a complete automaton)."""

from __future__ import annotations

from collections import Counter, deque
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence


class Automaton(NamedTuple):
    """`table[state, classes[byte]]` is the next state; states from `first` on say which literals end there.

    Both cases of ASCII letters are the same. `table` has a power of two as its width, `1 << shift`;
    `ends[state - first]` are numbers of literals.
    """

    table: Any
    classes: Any
    shift: int
    first: int
    ends: list[tuple[int, ...]]


def automaton(literals: Sequence[bytes]) -> Automaton:
    """Compile distinct `literals` of lower case. Raises `ValueError` for more than fit in 65,536 states."""
    counted = Counter(byte for literal in literals for byte in literal)
    used = [byte for byte, _ in counted.most_common()]  # what is met most often shares the lines of a cache
    classes = np.zeros(256, dtype=np.uint8)
    classes[used] = np.arange(1, len(used) + 1)
    classes[ord("A") : ord("Z") + 1] = classes[ord("a") : ord("z") + 1]
    shift = max(1, len(used).bit_length())
    children: list[dict[int, int]] = [{}]
    found: list[tuple[int, ...]] = [()]
    for number, literal in enumerate(literals):
        state = 0
        for byte in literal:
            after = children[state].get(byte)
            if after is None:
                after = children[state][byte] = len(children)
                children.append({})
                found.append(())
            state = after
        found[state] = (*found[state], number)
    if len(children) > 1 << 16:
        raise ValueError(f"{len(children)} states are more than 65,536")
    table = _completed(children, found, classes, shift)
    return _sorted(table, classes, shift, found)


def _completed(children: list[dict[int, int]], found: list[tuple[int, ...]], classes: Any, shift: int) -> Any:
    """Return the table in which every state knows what comes after every byte, and add what ends in suffixes."""
    table = np.zeros((len(children), 1 << shift), dtype=np.uint16)
    back = [0] * len(children)
    waiting: deque[int] = deque([0])
    while waiting:
        state = waiting.popleft()
        if state:
            table[state] = table[back[state]]
            found[state] += found[back[state]]
        for byte, after in children[state].items():
            back[after] = int(table[state, classes[byte]]) if state else 0
            table[state, classes[byte]] = after
            waiting.append(after)
    return table


def _sorted(table: Any, classes: Any, shift: int, found: list[tuple[int, ...]]) -> Automaton:
    """Number the states so that those at which something ends come last."""
    order = np.array(sorted(range(len(found)), key=lambda state: bool(found[state])))
    renamed = np.empty(len(found), dtype=np.uint16)
    renamed[order] = np.arange(len(found))
    first = sum(not ends for ends in found)
    return Automaton(renamed[table[order]], classes, shift, first, [found[state] for state in order[first:].tolist()])
