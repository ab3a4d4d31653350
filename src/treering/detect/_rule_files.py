"""Rules as files: YAML with a PPL condition, a threshold in a window, groups, and cases that are its tests.

Only data: a rule cannot run a command, read a file or fetch anything; YAML tags are refused. Mistakes name file and
rule.
"""

from __future__ import annotations

import hashlib
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
from treering.query import lexer, parse

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_SPAN = re.compile(r"([1-9]\d{0,4})([smhd])")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_SOURCE = re.compile(r"\s*(?:search\s+)?source\s*=\s*`?([\w-]+)")
_FIELD = re.compile(r"[@\w#][\w.@#:/$-]*(?: [\w.@#:/$-]+)*")
MOST_BYTES = 4 << 20
SHIPPED = (
    "agents.yaml",
    "trust.yaml",
    "cloud.yaml",
    "consumption.yaml",
    "gateways.yaml",
    "serving.yaml",
    "telemetry.yaml",
    "training.yaml",
    "vectors.yaml",
)
_MOST_STEPS = 8
Case = list[dict[str, Any]]
Conditions = Annotated[list[str], Meta(max_length=8)]
Needs = Annotated[list[dict[str, list[str]]], Meta(max_length=128)]


class Tests(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Cases: lists of records. A record with `_times: 20` stands for twenty of them, a second apart."""

    match: Annotated[list[Case], Meta(min_length=1)]
    no_match: Annotated[list[Case], Meta(min_length=1)]


class Step(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A kind of record, by `condition` and `needs` as a rule has them; `name` is what findings call it."""

    condition: Conditions
    needs: Needs
    name: str = ""


class Rule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A rule.

    `condition` lists PPL that keeps the records that count; of several the one with most hits counts, and one whose
    fields no record has is passed over. `needs` says which records are looked at, so that a rule costs nothing while
    nothing like it comes: in one of its clauses every field must hold one of the texts, or, for `>5`, a greater number;
    `*` is any value at all. The rule is told when one group (`by`) has `threshold` records within a `window`, or, with
    `distinct`, so many different values of that field; with `at_most` also no more than that, once the window is over.
    `computed` says of names in `by` that a condition makes of which fields, so that evidence is that of the group.
    With `steps` instead of `condition` and `needs`, when a group has each of them within a window, in this order unless
    `ordered` is false.
    """

    id: Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9-]{2,60}$")]
    title: str
    condition: Conditions = []
    needs: Needs = []
    steps: Annotated[list[Step], Meta(max_length=_MOST_STEPS)] = []
    ordered: bool = True
    tests: Tests | None = None
    severity: Severity = Severity.MEDIUM
    by: tuple[str, ...] = ("serviceName",)
    computed: dict[str, list[str]] = {}
    threshold: Annotated[int, Meta(ge=1, le=1_000_000)] = 1
    at_most: Annotated[int, Meta(ge=0)] = 0
    distinct: str = ""
    any_case: bool = False
    window: str = "5m"
    techniques: tuple[str, ...] = ()
    tactic: str = ""
    logsource: str = ""
    description: str = ""
    false_positives: str = ""
    response: str = ""
    references: tuple[str, ...] = ()
    author: str = ""
    origin: str = ""
    checked: str = ""

    @property
    def window_ns(self) -> int:
        """The window in nanoseconds."""
        found = _SPAN.fullmatch(self.window)
        return int(found[1]) * _SECONDS[found[2]] * 10**9 if found else 0

    @property
    def parts(self) -> list[Step]:
        """The kinds of records that the rule looks for: its steps, or the one that it is itself."""
        return self.steps or [Step(self.condition, self.needs)]

    @property
    def stream(self) -> str:
        """The stream that the conditions read; empty where one names none, or they name several."""
        found = {_SOURCE.match(condition) for part in self.parts for condition in part.condition}
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
    folder = resources.files("treering.content") / "rules"
    files = sorted((item for item in folder.iterdir() if item.name in SHIPPED), key=lambda item: item.name)
    return tuple(rule for item in files for rule in decode(item.read_text("utf-8"), item.name, parsed=True))


def read_rules(path: Path) -> list[Rule]:
    """Return the rules of a file. Raises `UserError` with file and rule for what is wrong."""
    return _read(path)


def digest(rule: Rule) -> str:
    """Return what tells that conditions were parsed before: an import notes it, so that a start need not repeat it."""
    text = "\n".join(condition for part in rule.parts for condition in part.condition)
    return hashlib.blake2b(text.encode("utf-8", "replace"), digest_size=8).hexdigest()


def _files(path: Path) -> list[Path]:
    if path.is_dir():
        return sorted(found for found in path.iterdir() if found.suffix in (".yaml", ".yml"))
    return [path]


def _read(path: Path) -> list[Rule]:
    try:
        if path.stat().st_size > MOST_BYTES:
            raise UserError(f"{path} is larger than a file of rules may be", hint=f"at most {MOST_BYTES} bytes")
        return decode(path.read_text("utf-8"), str(path))
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"cannot read the rules of {path}: {error}") from error


def decode(text: str, where: str, *, parsed: bool = False) -> list[Rule]:
    """Return the rules in `text`, a YAML list. Raises `UserError` that names `where`, the rule and the mistake.

    With `parsed` the conditions are known to be PPL: those that come with treering are, since a test has parsed them.
    """
    try:
        found = _yaml.read(text)
    except (yaml.YAMLError, RecursionError) as error:
        raise UserError(f"{where} is not YAML: {error}") from error
    if not isinstance(found, list):
        raise UserError(f"{where}: rules are a list", hint="each item begins with `- id: …`")
    return [_rule(item, number, where, parsed=parsed) for number, item in enumerate(found, 1)]


def _rule(item: object, number: int, where: str, *, parsed: bool) -> Rule:
    name = item.get("id", f"number {number}") if isinstance(item, dict) else f"number {number}"
    at = f"{where}: rule {name}"
    try:
        rule = msgspec.convert(item, Rule, strict=True)
    except msgspec.ValidationError as error:
        raise UserError(f"{at}: {error}", hint=f"a rule has: {', '.join(Rule.__struct_fields__)}") from error
    return verified(rule, at, parsed=parsed or rule.checked == digest(rule))


def verified(rule: Rule, at: str, *, parsed: bool = False) -> Rule:
    """Return `rule` when it is one that can be asked. Raises `UserError` that names `at`."""
    if not rule.window_ns:
        raise UserError(f"{at}: {rule.window!r} is no window", hint="a number and one of s m h d, as 5m")
    if not rule.stream:
        raise UserError(
            f"{at}: the conditions do not name one stream", hint="begin each with source=logs or source=spans"
        )
    for problem in _problems(rule, parsed=parsed):
        raise UserError(f"{at}: {problem}")
    return rule


def _problems(rule: Rule, *, parsed: bool) -> Iterator[str]:
    if bool(rule.steps) == bool(rule.condition or rule.needs) or len(rule.steps) == 1:
        yield "a rule has `condition` and `needs`, or at least two `steps`"
    if rule.steps and (rule.threshold > 1 or rule.at_most or rule.distinct):
        yield "steps are not counted: no `threshold`, `at_most` or `distinct`"
    if rule.at_most and rule.at_most < rule.threshold:
        yield f"`at_most` is below the threshold of {rule.threshold}"
    if rule.tests is None and not rule.origin:
        yield "`tests` is missing: cases that match, and such that do not"
    for part in rule.parts:
        yield from _part_problems(rule, part)
        if not parsed:
            yield from _conditions_problems(rule, part)


def _part_problems(rule: Rule, part: Step) -> Iterator[str]:
    if not part.condition or not part.needs:
        yield "`condition` or `needs` is empty"
    named = (*rule.by, *filter(None, [rule.distinct]), *(name for clause in part.needs for name in clause))
    for field in named:
        if not _FIELD.fullmatch(field):
            yield f"{field!r} is no field name"
    if not all(clause and all(texts and all(texts) for texts in clause.values()) for clause in part.needs):
        yield "each of `needs` names a field, and each field a text"


def _conditions_problems(rule: Rule, part: Step) -> Iterator[str]:
    for condition in part.condition:
        try:
            parse(counting(rule, condition, rule.by))
        except UserError as error:
            yield f"a condition is not PPL: {error.message}"


def groupings(rule: Rule) -> list[tuple[str, ...]]:
    """Return the groups to try in turn: PPL refuses a field that no record of the stream has."""
    return list(dict.fromkeys((rule.by, tuple(field for field in rule.by if field == "serviceName"), ())))


def counting(rule: Rule, condition: str, by: Iterable[str]) -> str:
    """Return the PPL that counts what `condition` keeps by window and group."""
    groups = ", ".join((f"span(@timestamp, {rule.window})", *map(lexer.name, by)))
    hits = f"dc({lexer.name(rule.distinct)})" if rule.distinct else "count()"
    return f"{condition} | stats {hits} as hits, min(@timestamp) as first, max(@timestamp) as last by {groups}"


def timing(condition: str, by: Iterable[str], most: int) -> str:
    """Return the PPL that lists when, and in which group, the records are that `condition` keeps, oldest first."""
    names = ", ".join(("@timestamp", *map(lexer.name, by)))
    return f"{condition} | sort @timestamp | fields {names} | head {most}"
