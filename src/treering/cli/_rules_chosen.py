"""Which rules a command is about, and what answers their questions."""

from __future__ import annotations

import contextlib
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from treering.core.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from treering.app.config import Settings
    from treering.cli._connection import Client
    from treering.detect._rule_files import Rule
    from treering.stage.detector import Ask

_MOST_ROWS = 10_000


def chosen(settings: Settings, files: Sequence[str] | None, names: Sequence[str] | None) -> list[Rule]:
    """Return the rules that a command is about: those of `names`, ids or files of rules (Sigma's too), or all.

    Raises `UserError` for a name that none has.
    """
    from treering.app.rule_imports import sigma_or_own
    from treering.detect._rule_files import load

    found = [rule for rule in load((*settings.rules.paths, *(files or ()))) if rule.id not in settings.rules.off]
    known = {rule.id: rule for rule in found}
    wanted: list[Rule] = []
    for name in names or ():
        if name in known:
            wanted.append(known[name])
        elif Path(name).is_file():
            wanted += sigma_or_own(Path(name))
        else:
            raise UserError(f"no rule is called {name!r}", hint="`treering rules list` names them")
    return wanted if names else found


def meant(rules: Sequence[Rule], technique: str, logsource: str) -> list[Rule]:
    """Return the rules that name a technique (a part of its id) and a log source (a part of it, or their stream)."""
    asked, source = technique.lower(), logsource.lower()
    return [
        rule
        for rule in rules
        if any(asked in name.lower() for name in (*rule.techniques, "" if asked else rule.tactic))
        or (not asked and not rule.techniques)
        if not source or source in rule.logsource.lower() or source == rule.stream
    ]


def values(given: Sequence[str] | None) -> dict[str, list[str]]:
    """Return the values of placeholders, given as `name=value,value`. Raises `UserError`."""
    found = {}
    for text in given or ():
        name, equals, said = text.partition("=")
        if not equals or not name or not said:
            raise UserError(f"{text!r} gives a placeholder no values", hint="--set admins=ann,bob")
        found[name] = said.split(",")
    return found


def asking(client: Client) -> Ask:
    """Return what asks the server, or the opened directory."""

    def ask(ppl: str, start_ns: int | None = None, end_ns: int | None = None) -> list[dict[str, Any]]:
        from treering.model.times import format_ns

        bounds = [None if at is None else format_ns(at) for at in (start_ns, end_ns)]
        answer = client.post("/api/query", {"query": ppl, "from": bounds[0], "to": bounds[1], "limit": _MOST_ROWS})
        names = [column["name"] for column in answer["schema"]]
        return [dict(zip(names, row, strict=True)) for row in answer["datarows"]]

    return ask


@contextlib.contextmanager
def reading(settings: Settings, paths: Sequence[str]) -> Iterator[Ask]:
    """Give what asks the records of log files, which are read into a store that goes away afterwards."""
    from treering.app.asking import asker
    from treering.app.pipeline import open_store
    from treering.cli.ingest import read_into
    from treering.core.clock import SystemClock

    with tempfile.TemporaryDirectory(prefix="treering-rules-") as folder:
        temporary = msgspec.structs.replace(settings, data=folder, retention={})
        store = open_store(temporary)
        try:
            read_into(store, temporary, tuple(paths))
            yield asker(store, SystemClock().now_ns)
        finally:
            store.close()
