"""Lists of Kubernetes objects as YAML (`kubectl get events -o yaml`): each item under `items` is a record."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import yaml

from treering.parse.fields import shape
from treering.parse.records import surround
from treering.parse.times import TimeParser

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from treering.stage.parser import Record

# Every scalar stays the text it is; nothing is constructed.
_LOADER = getattr(yaml, "CBaseLoader", yaml.BaseLoader)
_LARGEST = 1 << 20
# Aliases let a short text stand for a huge one.
_ALIAS = re.compile(r"(?:^|[:,\[{-] +)[&*]\w", re.MULTILINE)


def is_list(head: str) -> bool:
    """Whether a file that begins with `head` is such a list."""
    return head.startswith("apiVersion:") and re.search(r"^items:\s*$", head, re.MULTILINE) is not None


class YamlItems:
    """Reads the lines of such a list."""

    def __init__(self, *, now_ns: int, defaults: Mapping[str, Any], as_logs: bool = True) -> None:
        """Make records that lack nothing which `defaults` has; unless `as_logs` items are kept as they are."""
        self._times = TimeParser(reference_ns=now_ns)
        self._defaults = dict(defaults)
        self._as_logs = as_logs
        self._lines: list[str] = []

    @property
    def is_open(self) -> bool:
        """Whether an item goes on in the next line."""
        return bool(self._lines)

    def feed(self, lines: Sequence[str]) -> tuple[list[Record], list[str]]:
        """Return the records of the items that `lines` complete, and the items that cannot be read."""
        records: list[Record] = []
        strange: list[str] = []
        for line in lines:
            if line[:1] not in {" ", "#"}:
                self._close(records, strange)
            if line.startswith("- ") or (self._lines and line.startswith(" ")):
                self._lines.append(line)
        return records, strange

    def end(self) -> tuple[list[Record], list[str]]:
        """Return the last item."""
        records: list[Record] = []
        strange: list[str] = []
        self._close(records, strange)
        return records, strange

    def _close(self, records: list[Record], strange: list[str]) -> None:
        text, self._lines = "\n".join(self._lines), []
        if not text:
            return
        try:
            held = None if len(text) > _LARGEST or _ALIAS.search(text) else yaml.load(text, Loader=_LOADER)  # noqa: S506
        except (yaml.YAMLError, RecursionError):
            held = None
        if not (isinstance(held, list) and held and isinstance(held[0], dict)):
            strange.append(text)
            return
        item = held[0]
        record = (shape(item, self._times, force=True) or {}) if self._as_logs else item
        records.append(surround(self._defaults, record) if self._defaults else record)
