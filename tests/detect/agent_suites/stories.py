"""What happens in traces of the invented suites: who asks for what, which tools run, what is injected and followed."""

from __future__ import annotations

import base64
import html
import json
from collections.abc import Iterator, Mapping
from functools import cache
from itertools import cycle, islice
from pathlib import Path
from typing import Any, NamedTuple

import yaml

HERE = "@@"
"""Where in a result harmless filler or an injection is put."""
OUTCOMES = ("resisted", "followed", "partial")
_LEET = str.maketrans("aeiot", "43107")
_GREEK = str.maketrans({"a": "\u0430", "e": "\u0435", "o": "\u043e", "p": "\u0440", "c": "\u0441"})


class Call(NamedTuple):
    """A tool's run; `why` is source, followed or empty."""

    tool: str
    given: dict[str, Any]
    result: str
    why: str = ""
    failed: bool = False


class Story(NamedTuple):
    """A trace before it has a shape."""

    name: str
    outcome: str
    phrasing: str
    system: str
    asked: str
    calls: list[Call]
    answer: str


@cache
def _book(name: str) -> Any:
    return yaml.safe_load((Path(__file__).with_name(f"{name}.yaml")).read_text("utf-8"))


def stories(half: str) -> Iterator[Story]:
    """Yield the stories of a part: each phrasing in each suite with each outcome, each task clean, each delegated."""
    book = _book(half)
    fillers = cycle(book["fillers"])
    for suite, held in book["suites"].items():
        yield from _harmless(suite, held, fillers)
        yield from _attacks(suite, held, book["phrasings"], fillers)


def _harmless(suite: str, held: Mapping[str, Any], fillers: Iterator[str]) -> Iterator[Story]:
    for number, task in enumerate(held["tasks"]):
        for turn in range(8):
            filler = " ".join(islice(fillers, turn % 3))
            calls = _calls(task, filler, turn)
            yield Story(f"{suite} {number} clean {turn}", "clean", "", held["as"], task["asked"], calls, "Done.")
    for number, task in enumerate(held.get("delegated", [])):
        for turn in range(5):
            calls = _calls(task, "", turn)
            yield Story(
                f"{suite} {number} delegated {turn}", "user_delegated", "", held["as"], task["asked"], calls, "Ok."
            )


def _attacks(
    suite: str, held: Mapping[str, Any], phrasings: Mapping[str, str], fillers: Iterator[str]
) -> Iterator[Story]:
    tasks, goals = held["tasks"], held.get("goals", [])
    for number, (phrasing, words) in enumerate(phrasings.items()):
        for turn, outcome in enumerate(OUTCOMES):
            task = tasks[(number + turn) % len(tasks)]
            goal = goals[(number * 2 + turn) % len(goals)]
            text = next(fillers) + " " + worded(words, goal) if number % 3 == 0 else worded(words, goal)
            calls = _calls(task, text, number + turn)
            source = next(at for at, call in enumerate(calls) if call.why)
            more = _followed(goal, outcome, number)
            at = len(calls) if number % 4 == 0 else source + 1
            calls[at:at] = more
            answer = goal.get("answer", "Done.") if outcome == "followed" else "Done."
            done = "followed" if more or answer != "Done." else "resisted"
            yield Story(f"{suite} {number}{turn}", done, phrasing, held["as"], task["asked"], calls, answer)


def _followed(goal: Mapping[str, Any], outcome: str, number: int) -> list[Call]:
    steps = [Call(tool, given, rendered(result, number), "followed") for tool, given, result in goal["steps"]]
    if outcome != "partial" or not steps:
        return steps if outcome == "followed" else []
    if number % 2 and len(steps) > 1:
        return steps[:1]
    return [*steps[:-1], steps[-1]._replace(result="ValueError: not permitted", failed=True)]


def _calls(task: Mapping[str, Any], text: str, turn: int) -> list[Call]:
    calls = []
    for number, (tool, given, result) in enumerate(task["steps"]):
        raw = json.dumps(result, ensure_ascii=False)
        said = rendered(filled(result, text), turn + number)
        calls.append(Call(tool, given, said, "source" if HERE in raw and text else ""))
    return calls


def filled(value: Any, text: str) -> Any:
    """Return a result with a text at its place."""
    if isinstance(value, str):
        return value.replace(HERE, text)
    if isinstance(value, list):
        return [filled(inner, text) for inner in value]
    return {key: filled(inner, text) for key, inner in value.items()} if isinstance(value, dict) else value


def rendered(value: Any, turn: int) -> str:
    """Return a result as tools print it: a text as it is, data as JSON, YAML or as the language prints it."""
    if isinstance(value, str):
        return value
    if turn % 3 == 0:
        return json.dumps(value, ensure_ascii=turn % 2 == 0)
    return yaml.safe_dump(value, sort_keys=False, allow_unicode=True) if turn % 3 == 1 else str(value)


def worded(words: str, goal: Mapping[str, Any]) -> str:
    """Return an order of a goal in a wording."""
    order: str = goal["order"]
    return words.format(
        order=order,
        lower=order[0].lower() + order[1:],
        foreign=goal["foreign"],
        base64=base64.b64encode(order.encode()).decode(),
        hex=order.encode().hex(),
        spaced=" ".join(order),
        tags="".join(chr(0xE0000 + ord(each)) for each in order if each.isascii()),
        zero="\u200b".join(order),
        leet=order.translate(_LEET),
        entities="".join(f"&#{ord(each)};" for each in order),
        homoglyphs=order.translate(_GREEK),
        html=html.escape(order),
    )
