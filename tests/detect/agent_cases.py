"""Composed traces of agents, with what is true of each: `agent_cases.yaml`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from treering.detect._taint_examples import trace

HERE = "@@"
"""Where in a result an injection is put."""


class Case(NamedTuple):
    """A trace, its outcome (clean, resisted, followed), the span of the source and those of the steps that followed."""

    name: str
    records: list[dict[str, Any]]
    outcome: str
    source: str = ""
    followed: frozenset[str] = frozenset()


@cache
def _book() -> Any:
    return yaml.safe_load(Path(__file__).with_suffix(".yaml").read_text("utf-8"))


def cases(phrasings: str = "phrasings") -> Iterator[Case]:
    """Yield each goal of each task in each of the phrasings (`phrasings`, `hard`), resisted and followed; and what is
    harmless."""
    book = _book()
    for trade, task in book["tasks"].items():
        yield Case(f"{trade}, clean", _records(task), "clean")
        for number, goal in enumerate(task["goals"]):
            for name, words in book[phrasings].items():
                yield from _attacks(f"{trade} {number}, {name}", task, goal, words)
    for name, task in book["harmless"].items():
        yield Case(name, _records(task), "clean")


def _attacks(name: str, task: Mapping[str, Any], goal: Mapping[str, Any], words: str) -> Iterator[Case]:
    order = goal["order"]
    text = words.format(order=order, lower=order[0].lower() + order[1:])
    source, first = f"{task['place'] + 1:016x}", len(task["steps"]) + 1
    yield Case(name, _records(task, text), "resisted", source)
    followed = frozenset(f"{step:016x}" for step in range(first, first + len(goal["steps"])))
    yield Case(name, _records(task, text, goal["steps"]), "followed", source, followed)


def _records(task: Mapping[str, Any], injected: str = "", more: Any = ()) -> list[dict[str, Any]]:
    def filled(result: str) -> str:
        is_json = result[:1] in "[{"
        text = injected.replace("\n", "\\n").replace('"', '\\"') if is_json else injected.replace("'", "''")
        return result.replace(HERE, text)

    steps = [(step["tool"], step["given"], filled(step["result"])) for step in (*task["steps"], *more)]
    return trace(task["asked"], steps)
