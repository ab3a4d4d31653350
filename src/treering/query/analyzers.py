"""Analyzers that a full-text function can name, as Lucene's of the same names split the text of a query into words.

Only the query is split so: the words of the records stay those of the standard analyzer. A stem (`house`) is thus
found where a record has it as a word, as in OpenSearch on a field that is not mapped to that analyzer.
"""

from __future__ import annotations

import functools
import re
from dataclasses import replace
from typing import TYPE_CHECKING

from treering.core.errors import UserError
from treering.query import analyzer
from treering.query.lucene import Boolean, Clause, Words

if TYPE_CHECKING:
    from collections.abc import Callable

    from treering.query.lucene import Query

# Lucene's EnglishAnalyzer.ENGLISH_STOP_WORDS_SET.
_STOP_WORDS = frozenset(
    "a an and are as at be but by for if in into is it no not of on or such that the their then there these they this "
    "to was will with".split()
)
_POSSESSIVE = re.compile(r"['\u2019\uff07]s$")


def _letters(text: str) -> list[str]:
    return [run.lower() for run in re.findall(r"[^\W\d_]+", text)]


def _english(text: str) -> list[str]:
    words = (_POSSESSIVE.sub("", word) for word in analyzer.words(text))
    return [_stem(word) for word in words if word not in _STOP_WORDS]


@functools.lru_cache(4096)
def _stem(word: str) -> str:
    """Return the stem of an English word (Porter, An algorithm for suffix stripping, 1980)."""
    from snowballstemmer import stemmer

    found: str = stemmer("porter").stemWord(word)
    return found


ANALYZERS: dict[str, Callable[[str], list[str]]] = {
    "default": analyzer.words,
    "standard": analyzer.words,
    "simple": _letters,
    "stop": lambda text: [word for word in _letters(text) if word not in _STOP_WORDS],
    "whitespace": str.split,
    "keyword": lambda text: [text],
    "english": _english,
}


def analysed(query: Query, name: str) -> Query:
    """Return a query with its words made by the analyzer `name`; parts without a word left drop out of it.

    Raises `UserError` for an analyzer that is not known.
    """
    if name not in ANALYZERS:
        raise UserError(f"unknown analyzer {name!r}", hint=f"known: {', '.join(ANALYZERS)}")
    return _analysed(query, ANALYZERS[name])


def _analysed(query: Query, split: Callable[[str], list[str]]) -> Query:
    match query:
        case Words():
            return replace(query, terms=tuple(split(query.text)))
        case Boolean():
            parts = [(clause.occur, _analysed(clause.query, split)) for clause in query.clauses]
            kept = [Clause(occur, part) for occur, part in parts if not isinstance(part, Words) or part.words()]
            return Boolean(tuple(kept), query.least)
        case _:
            return query
