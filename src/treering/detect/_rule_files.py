"""Rules as files: YAML with a PPL condition, a threshold in a window, groups, and cases that are its tests.

Only data: a rule cannot run a command, read a file or fetch anything; YAML tags are refused. Mistakes name file and
rule.
"""

from __future__ import annotations

import re
from functools import cache
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import yaml
from msgspec import Meta

from treering.core.errors import UserError
from treering.detect import _yaml
from treering.model.finding import Severity
from treering.query import parse

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_SPAN = re.compile(r"([1-9]\d{0,4})([smhd])")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_SOURCE = re.compile(r"\s*(?:search\s+)?source\s*=\s*`?([\w-]+)")
_FIELD = re.compile(r"[@\w][\w.@-]*")
_MOST_BYTES = 1 << 20
Case = list[dict[str, Any]]


class Tests(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Cases: lists of records. A record with `_times: 20` stands for twenty of them, a second apart."""

    match: Annotated[list[Case], Meta(min_length=1)]
    no_match: Annotated[list[Case], Meta(min_length=1)]


class Rule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A rule.

    `condition` lists PPL that keeps the records that count; of several the one with most hits counts, and one whose
    fields no record has is passed over. `needs` says which records are looked at, so that a rule costs nothing while
    nothing like it comes: in one of its clauses every field must hold one of the texts, or, for `>5`, a greater number.
    The rule is told when one group (`by`) has `threshold` records within a `window`.
    """

    id: Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9-]{2,60}$")]
    title: str
    condition: Annotated[list[str], Meta(min_length=1, max_length=8)]
    needs: Annotated[list[dict[str, list[str]]], Meta(min_length=1, max_length=8)]
    tests: Tests
    severity: Severity = Severity.MEDIUM
    by: tuple[str, ...] = ("serviceName",)
    threshold: Annotated[int, Meta(ge=1, le=1_000_000)] = 1
    window: str = "5m"
    techniques: tuple[str, ...] = ()
    tactic: str = ""
    false_positives: str = ""
    response: str = ""

    @property
    def window_ns(self) -> int:
        """The window in nanoseconds."""
        found = _SPAN.fullmatch(self.window)
        return int(found[1]) * _SECONDS[found[2]] * 10**9 if found else 0

    @property
    def stream(self) -> str:
        """The stream that the conditions read; empty where one names none, or they name several."""
        found = {_SOURCE.match(condition) for condition in self.condition}
        names = {match[1] if match else "" for match in found}
        return names.pop() if len(names) == 1 else ""


def load(paths: Iterable[str] = ()) -> list[Rule]:
    """Return the shipped rules and those of `paths` (files, or directories of `.yaml` files).

    Raises `UserError` with file and rule for what cannot be read, is malformed, or is there twice.
    """
    rules = list(_shipped())
    for name in paths:
        rules += [rule for path in _files(Path(name)) for rule in _read(path)]
    seen: set[str] = set()
    for rule in rules:
        if rule.id in seen:
            raise UserError(f"two rules are called {rule.id!r}", hint="ids are unique, also among the shipped rules")
        seen.add(rule.id)
    return rules


@cache
def _shipped() -> tuple[Rule, ...]:
    text = (resources.files("treering.content") / "rules" / "telemetry.yaml").read_text("utf-8")
    return tuple(decode(text, "telemetry.yaml"))


def _files(path: Path) -> list[Path]:
    if path.is_dir():
        return sorted(found for found in path.iterdir() if found.suffix in (".yaml", ".yml"))
    return [path]


def _read(path: Path) -> list[Rule]:
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise UserError(f"{path} is larger than a file of rules may be", hint=f"at most {_MOST_BYTES} bytes")
        return decode(path.read_text("utf-8"), str(path))
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"cannot read the rules of {path}: {error}") from error


def decode(text: str, where: str) -> list[Rule]:
    """Return the rules in `text`, a YAML list. Raises `UserError` that names `where`, the rule and the mistake."""
    try:
        found = _yaml.read(text)
    except (yaml.YAMLError, RecursionError) as error:
        raise UserError(f"{where} is not YAML: {error}") from error
    if not isinstance(found, list):
        raise UserError(f"{where}: rules are a list", hint="each item begins with `- id: …`")
    return [_rule(item, number, where) for number, item in enumerate(found, 1)]


def _rule(item: object, number: int, where: str) -> Rule:
    name = item.get("id", f"number {number}") if isinstance(item, dict) else f"number {number}"
    at = f"{where}: rule {name}"
    try:
        rule = msgspec.convert(item, Rule, strict=True)
    except msgspec.ValidationError as error:
        raise UserError(f"{at}: {error}", hint=f"a rule has: {', '.join(Rule.__struct_fields__)}") from error
    if not rule.window_ns:
        raise UserError(f"{at}: {rule.window!r} is no window", hint="a number and one of s m h d, as 5m")
    if not rule.stream:
        raise UserError(
            f"{at}: the conditions do not name one stream", hint="begin each with source=logs or source=spans"
        )
    for problem in _problems(rule):
        raise UserError(f"{at}: {problem}")
    return rule


def _problems(rule: Rule) -> Iterator[str]:
    for field in (*rule.by, *(name for clause in rule.needs for name in clause)):
        if not _FIELD.fullmatch(field):
            yield f"{field!r} is no field name"
    if not all(clause and all(texts and all(texts) for texts in clause.values()) for clause in rule.needs):
        yield "each of `needs` names a field, and each field a text"
    for condition in rule.condition:
        try:
            parse(counting(condition, rule.window, rule.by))
        except UserError as error:
            yield f"a condition is not PPL: {error.message}"


def groupings(rule: Rule) -> list[tuple[str, ...]]:
    """Return the groups to try in turn: PPL refuses a field that no record of the stream has."""
    return list(dict.fromkeys((rule.by, tuple(field for field in rule.by if field == "serviceName"), ())))


def counting(condition: str, window: str, by: Iterable[str]) -> str:
    """Return the PPL that counts what `condition` keeps by window and group."""
    groups = ", ".join((f"span(@timestamp, {window})", *by))
    return f"{condition} | stats count() as hits, min(@timestamp) as first, max(@timestamp) as last by {groups}"
