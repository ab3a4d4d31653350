"""Playbooks: Markdown whose steps can carry PPL and checks.

    +++
    title = "…"
    kinds = ["security"]
    techniques = ["owasp-llm@2026:LLM01"]
    +++
    # …
    ## A step
    Text, a fenced block `ppl`, and checks: `- [ ] keys are changed`.

A step asks and reminds; it changes nothing.
"""

from __future__ import annotations

import re
from importlib import resources
from typing import TYPE_CHECKING

import msgspec

from treering.core.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from treering.model.incident import Incident

MAX_BYTES = 256 << 10
_FRONT = re.compile(r"\A\+\+\+\n(.*?)\n\+\+\+\n", re.DOTALL)
_HEADING = re.compile(r"^## +(.+?)\s*$", re.MULTILINE)
_QUERY = re.compile(r"^```ppl\n(.*?)^```\s*$", re.MULTILINE | re.DOTALL)
_CHECK = re.compile(r"^- \[ \] +(.+?)\s*$", re.MULTILINE)
_SLUG = re.compile(r"[^a-z0-9]+")


class Step(msgspec.Struct, frozen=True):
    """One step: its id (of its heading), what to do, queries, and what to tick off."""

    id: str
    title: str
    text: str
    queries: tuple[str, ...] = ()
    checks: tuple[str, ...] = ()


class Playbook(msgspec.Struct, frozen=True):
    """A playbook: which incidents it is for, how far around them its queries look, and its steps."""

    name: str
    title: str
    about: str
    steps: tuple[Step, ...]
    kinds: tuple[str, ...] = ()
    techniques: tuple[str, ...] = ()
    margin_s: int = 3600


class _Front(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    title: str
    kinds: tuple[str, ...] = ()
    techniques: tuple[str, ...] = ()
    margin_s: int = 3600


def parse(name: str, text: str) -> Playbook:
    """Return the playbook that `text` writes. Raises `UserError` naming what is wrong."""
    found = _FRONT.match(text)
    if found is None:
        raise UserError(f"playbook {name!r} does not begin with its front matter", hint="+++, TOML with a title, +++")
    try:
        front = msgspec.toml.decode(found[1], type=_Front)
    except msgspec.DecodeError as error:
        raise UserError(f"the front matter of playbook {name!r}: {error}") from error
    body = text[found.end() :]
    parts = _HEADING.split(body)
    steps = tuple(_step(title, content) for title, content in zip(parts[1::2], parts[2::2], strict=True))
    if not steps:
        raise UserError(f"playbook {name!r} has no steps", hint="a step is a heading of the second level: ## …")
    if len({step.id for step in steps}) < len(steps):
        raise UserError(f"two steps of playbook {name!r} have the same title")
    about = re.sub(r"^# .*$", "", parts[0], count=1, flags=re.MULTILINE).strip()
    return Playbook(name, front.title, about, steps, front.kinds, front.techniques, front.margin_s)


def _step(title: str, content: str) -> Step:
    queries = tuple(query.strip() for query in _QUERY.findall(content))
    checks = tuple(_CHECK.findall(content))
    text = re.sub(r"\n{3,}", "\n\n", _CHECK.sub("", _QUERY.sub("", content))).strip()
    return Step(_SLUG.sub("-", title.lower()).strip("-") or "step", title, text, queries, checks)


def library(directory: Path | None = None) -> dict[str, Playbook]:
    """Return the shipped playbooks by name, and those in `directory`, which win. Raises `UserError`."""
    found = {}
    for item in sorted(resources.files("treering.content").joinpath("playbooks").iterdir(), key=lambda i: i.name):
        if item.name.endswith(".md"):
            name = item.name.removesuffix(".md")
            found[name] = parse(name, item.read_text(encoding="utf-8"))
    for path in sorted(directory.glob("*.md")) if directory is not None else ():
        found[path.stem] = parse(path.stem, _read(path))
    return found


def _read(path: Path) -> str:
    try:
        if path.stat().st_size > MAX_BYTES:
            raise UserError(f"playbook {path} is larger than {MAX_BYTES} bytes")
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"cannot read the playbook {path}") from error


def choose(playbooks: Iterable[Playbook], incident: Incident) -> Playbook | None:
    """Return the playbook that fits best: most techniques in common, then the kind; None when none fits."""
    best: tuple[int, Playbook] | None = None
    for playbook in playbooks:
        shared = len(set(playbook.techniques) & set(_versionless(incident.techniques, playbook.techniques)))
        points = 2 * shared + (incident.kind in playbook.kinds)
        if incident.kind in playbook.kinds and (best is None or points > best[0]):
            best = (points, playbook)
    return None if best is None else best[1]


def _versionless(found: Sequence[str], wanted: Sequence[str]) -> list[str]:
    """Return those of `wanted` whose framework and id occur in `found` in any version."""

    def bare(technique: str) -> tuple[str, str]:
        framework, _, identifier = technique.partition(":")
        return framework.partition("@")[0], identifier

    have = {bare(technique) for technique in found}
    return [technique for technique in wanted if bare(technique) in have]
