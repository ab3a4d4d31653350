"""Sigma rules into a directory of rules: what is written, and what was refused and why."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import yaml

from treering.core.errors import UserError
from treering.detect import _sigma
from treering.detect._rule_files import MOST_BYTES, Rule, digest, load, read_rules

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

_MOST_FILES = 50_000
_SUFFIXES = (".yml", ".yaml")


class Report(msgspec.Struct):
    """An import: Sigma documents read, the ids of the rules made of them, the files written, and what was refused."""

    documents: int = 0
    rules: list[str] = []
    written: list[str] = []
    refused: list[_sigma.Refused] = []


def read(paths: Iterable[str], values: Mapping[str, Sequence[str]] | None = None) -> tuple[Report, dict[str, str]]:
    """Read Sigma files, and directories of them; nothing is written.

    Returns the report, and for each Sigma file the text of a file of ours with its rules. Raises `UserError` for a path
    there is not, and without pySigma.
    """
    texts, refused = _texts(paths)
    made = _sigma.convert(texts, values)
    by_file: dict[str, list[Rule]] = {}
    for rule, where in zip(made.rules, made.places, strict=True):
        by_file.setdefault(where, []).append(rule)
    report = Report(made.documents + len(refused), [rule.id for rule in made.rules], [], [*refused, *made.refused])
    return report, {where: written(rules, where) for where, rules in by_file.items()}


def write(report: Report, files: Mapping[str, str], folder: Path, *, replace: bool) -> None:
    """Write `files` into `folder`, and note them in the report. Raises `UserError` for a name that is taken."""
    folder.mkdir(parents=True, exist_ok=True)
    targets = _targets(files, folder)
    if not replace:
        _taken(report, targets.values())
    for where, target in targets.items():
        target.write_text(files[where], "utf-8")
        report.written.append(str(target))


def sigma_or_own(path: Path, values: Mapping[str, Sequence[str]] | None = None) -> list[Rule]:
    """Return the rules of a file, of ours or of Sigma. Raises `UserError` for what cannot be read or is refused."""
    text = _text(path)
    if text.lstrip().startswith(("- ", "#", "---\n- ")) and not any(
        line.startswith(("detection:", "correlation:")) for line in text.splitlines()
    ):
        return read_rules(path)
    made = _sigma.convert({str(path): text}, values)
    if made.refused:
        raise UserError(f"{made.refused[0].where}: {made.refused[0].reason}")
    return made.rules


def written(rules: Sequence[Rule], where: str) -> str:
    """Return rules as a file of ours."""
    plain = [_plain(msgspec.structs.replace(rule, checked=digest(rule))) for rule in rules]
    body = yaml.safe_dump(plain, sort_keys=False, allow_unicode=True, width=120)
    return f"# Made by `treering rules import` of {Path(where).name}; importing it again replaces this file.\n{body}"


def _plain(rule: Rule) -> dict[str, Any]:
    """Return a rule as data, without what is as it would be anyway."""
    usual = {field.name: field for field in msgspec.structs.fields(Rule)}
    found = msgspec.to_builtins(rule)
    return {name: value for name, value in found.items() if not _usual(getattr(rule, name), usual[name])}


def _usual(value: Any, field: msgspec.structs.FieldInfo) -> bool:
    if field.default_factory is not msgspec.NODEFAULT:
        return bool(value == field.default_factory())
    return field.default is not msgspec.NODEFAULT and bool(value == field.default)


def _texts(paths: Iterable[str]) -> tuple[dict[str, str], list[_sigma.Refused]]:
    texts: dict[str, str] = {}
    refused: list[_sigma.Refused] = []
    for name in paths:
        path = Path(name)
        if not path.exists():
            raise UserError(f"there is no {name}", hint="name a Sigma file, or a directory of them")
        found = sorted(item for item in path.rglob("*") if item.suffix in _SUFFIXES) if path.is_dir() else [path]
        for item in found:
            try:
                texts[str(item)] = _text(item)
            except UserError as error:
                refused.append(_sigma.Refused(str(item), "", error.message))
            if len(texts) > _MOST_FILES:
                raise UserError(f"more than {_MOST_FILES} files", hint="import a part of them")
    return texts, refused


def _text(path: Path) -> str:
    try:
        if path.stat().st_size > MOST_BYTES:
            raise UserError(f"{path} is larger than a file of rules may be", hint=f"at most {MOST_BYTES} bytes")
        return path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"cannot read the rules of {path}: {error}") from error


def _targets(files: Iterable[str], folder: Path) -> dict[str, Path]:
    """Return where each file goes: by its name; of those with equal names the later ones are numbered."""
    taken: dict[str, int] = {}
    targets = {}
    for where in files:
        stem = Path(where).stem
        taken[stem] = taken.get(stem, 0) + 1
        targets[where] = folder / (f"{stem}.yaml" if taken[stem] == 1 else f"{stem}-{taken[stem]}.yaml")
    return targets


def _taken(report: Report, targets: Iterable[Path]) -> None:
    if there := [str(target) for target in targets if target.exists()]:
        raise UserError(f"{there[0]} is there already", hint="--replace writes it anew")
    known = {rule.id for rule in load()}
    if both := known & set(report.rules):
        raise UserError(f"a rule that comes with treering is called {both.pop()!r}")
