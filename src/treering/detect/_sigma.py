"""Sigma rules as rules of ours, read by pySigma (the extra `sigma`).

The specification: https://sigmahq.io/sigma-specification/. Rules, correlations (event_count, value_count, temporal,
temporal_ordered) and filters are read from YAML by the safe loader, so a tag that would make an object, run or include
something is refused, and nothing of a rule is followed: its references are texts.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec
import yaml

from treering.core.errors import UserError
from treering.detect import _yaml
from treering.detect._rule_files import Rule
from treering.model.finding import Severity

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

_MOST_BYTES = 1 << 20
_TAG = re.compile(r"t\d{4}(?:\.\d{3})?")
_ATLAS = re.compile(r"aml\.t\d{4}(?:\.\d{3})?", re.IGNORECASE)
_NO_WORD = re.compile(r"[^a-z0-9]+")
_KINDS = ("detection", "correlation", "filter", "action")
_FORBIDDEN = ("include", "transformations", "postprocessing", "finalizers", "vars", "pipeline", "allowed_backends")
ATTACK = "mitre-attack@18"


class Refused(msgspec.Struct, frozen=True):
    """What could not become a rule: where it is, its title, and why."""

    where: str
    title: str
    reason: str


class Imported(NamedTuple):
    """Rules and the file of each, what was refused, and how many Sigma documents there were, filters too."""

    rules: list[Rule]
    places: list[str]
    refused: list[Refused]
    documents: int


def convert(texts: Mapping[str, str], values: Mapping[str, Sequence[str]] | None = None) -> Imported:
    """Return the Sigma documents of `texts` (file → YAML) as rules; `values` are those of placeholders, by name.

    Raises `UserError` when pySigma is not installed. What is wrong with one document is told of it alone.
    """
    try:
        from treering.detect import _sigma_collection as collection
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in ("sigma", "pyparsing", "jinja2", "diskcache", "requests"):
            raise
        raise UserError("reading Sigma rules needs pySigma", hint="pip install 'treering[sigma]'") from error
    refused: list[Refused] = []
    documents = list(_documents(texts, refused))
    found, problems = collection.convert(documents, dict(values or {}))
    count = sum(len(items) for _, items in documents) + len(refused)
    return Imported(list(_unlike(rule for rule, _ in found)), [where for _, where in found], refused + problems, count)


def _documents(texts: Mapping[str, str], refused: list[Refused]) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """Yield where each file's documents are, and they; what is no Sigma goes to `refused`."""
    for where, text in texts.items():
        try:
            if len(text) > _MOST_BYTES:
                raise UserError(f"larger than a file of rules may be ({_MOST_BYTES} bytes)")
            found = [_checked(item) for item in _yaml.read_all(text) if item is not None]
        except (yaml.YAMLError, RecursionError) as error:
            refused.append(Refused(where, "", f"not YAML that may be read: {_first_line(error)}"))
        except UserError as error:
            refused.append(Refused(where, "", error.message))
        else:
            if found:
                yield where, found


def _checked(item: object) -> dict[str, Any]:
    if not isinstance(item, dict) or not all(isinstance(key, str) for key in item):
        raise UserError("no Sigma document: not a map of names")
    for name in _FORBIDDEN:
        if name in item:
            raise UserError(f"{name!r} would read, fetch or run something that is not in the rule")
    if not any(name in item for name in _KINDS):
        raise UserError("no Sigma document: neither detection, correlation nor filter")
    return item


def _first_line(error: BaseException) -> str:
    return " ".join(str(error).split())[:300]


def _unlike(rules: Iterable[Rule]) -> Iterator[Rule]:
    """Yield the rules with ids that are different from each other."""
    seen: dict[str, int] = {}
    for rule in rules:
        seen[rule.id] = seen.get(rule.id, 0) + 1
        yield rule if seen[rule.id] == 1 else msgspec.structs.replace(rule, id=f"{rule.id}-{seen[rule.id]}")


def name_of(title: str, identity: str) -> str:
    """Return an id that people can read and that stays the same: words of the title, and the begin of the UUID."""
    words = _NO_WORD.sub("-", title.lower()).strip("-")[:48].strip("-")
    return "-".join(filter(None, (words or "sigma", identity.partition("-")[0][:8])))


def severity_of(level: str) -> Severity:
    """Return how grave a Sigma level is; medium where a rule names none."""
    return Severity(level) if level in set(Severity) else Severity.MEDIUM


def techniques_of(tags: Iterable[tuple[str, str]]) -> tuple[str, ...]:
    """Return the techniques of tags (namespace, name): ATT&CK, ATLAS and OWASP's list for LLM applications."""
    found = []
    for space, name in tags:
        if space == "attack" and _TAG.fullmatch(name.lower()):
            found.append(f"{ATTACK}:{name.upper()}")
        elif space == "atlas" and _ATLAS.fullmatch(name):
            found.append(f"mitre-atlas@2026.09:{name.upper()}")
        elif space in ("owasp-llm", "owasp_llm") and re.fullmatch(r"llm\d\d", name.lower()):
            found.append(f"owasp-llm@2025:{name.upper()}")
    return tuple(dict.fromkeys(found))
