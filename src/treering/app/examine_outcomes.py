"""Records that say they failed without a level: batch results, audit and usage exports, run trees, tables of states."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from treering.app.examine_numbers import states_status
from treering.app.examiner import Examiner, Remark
from treering.model.times import format_ns
from treering.parse.outcomes import Outcome, counted

if TYPE_CHECKING:
    from collections.abc import Mapping

    from treering.app.examiner import File
    from treering.parse.digest import Group

_MOST_RECORDS = 500_000
_MOST_REASONS = 1000
_MOST_SUMS = 20
_LONGEST = 80
_WARN = 13
_NOTABLE = 0.01


class Outcomes(Examiner):
    """Counts outcomes of each file's records, with the commonest reasons."""

    name = "outcomes"

    def __init__(self) -> None:
        """Begin without records."""
        self._found: list[dict[str, Any]] = []
        self._sums: list[Remark] = []
        self._file = ""
        self._seen = self._all = self._stated = self._failed = 0
        self._reasons: Counter[str] = Counter()
        self._times: list[int] = []

    def begin(self, file: File) -> None:
        """Take the next file."""
        self._file, self._reasons, self._times = file.name, Counter(), []
        self._all = self._stated = self._failed = 0

    def wants(self, record: Mapping[str, Any]) -> bool:
        """Whether a record states an outcome of its own, and no level that says as much."""
        return self._seen < _MOST_RECORDS and self._outcome(record).stated

    def _outcome(self, record: Mapping[str, Any]) -> Outcome:
        attributes = record.get("attributes")
        if (record.get("severityNumber") or 0) >= _WARN or (isinstance(attributes, dict) and states_status(attributes)):
            return Outcome({})
        if "startTime" in record and "name" in record:
            return Outcome(_span(record))
        return Outcome(attributes if isinstance(attributes, dict) else record)

    def record(self, record: Mapping[str, Any], stream: str) -> None:
        """Count what a record says of its outcome."""
        if stream not in {"logs", "spans"} or self._seen >= _MOST_RECORDS:
            return
        self._seen += 1
        self._all += 1
        self._count(record)
        outcome = self._outcome(record)
        self._stated += outcome.stated
        if outcome.reason is None:
            return
        self._failed += 1
        if outcome.reason in self._reasons or len(self._reasons) < _MOST_REASONS:
            self._reasons[outcome.reason] += 1
        moment = record.get("@timestamp", record.get("startTime"))
        if isinstance(moment, int):
            self._times = [min(self._times[0], moment), max(self._times[1], moment)] if self._times else [moment] * 2

    def _count(self, record: Mapping[str, Any]) -> None:
        fields = record.get("attributes", record)
        if isinstance(fields, dict) and (found := counted(fields)) is not None:
            every, failed = found
            texts = (value for name, value in fields.items() if isinstance(value, str) and name != "log.file.name")
            named = " ".join(texts)[:_LONGEST]
            title = f"{failed:,} of {every:,} requests failed ({failed / every:.1%}): {named}"
            if len(self._sums) < _MOST_SUMS:
                self._sums.append(Remark(54 + min(22.0, 100 * failed / every), "failed", title, "", self._file))

    def group(self, group: Group) -> None:
        """Count records that state no outcome."""
        self._all += group.count

    def end(self) -> None:
        """Sum the file up."""
        if not self._failed:
            return
        # Where only failures say anything, the others are all that say nothing.
        among = self._stated if self._stated > self._failed else self._all
        about: dict[str, Any] = {"file": self._file, "records": among, "failed": self._failed}
        about["reasons"] = dict(self._reasons.most_common(10))
        if self._times:
            about |= {"from": format_ns(self._times[0]), "to": format_ns(self._times[1])}
        self._found.append(about)

    def remarks(self) -> list[Remark]:
        """Return each file's failures."""
        return [*(_remark(about) for about in self._found), *self._sums]

    def details(self) -> Any:
        """Return the counts and reasons."""
        return self._found or None


def _span(record: Mapping[str, Any]) -> dict[str, Any]:
    status = record.get("status")
    failed = isinstance(status, dict) and status.get("code") in {2, "2", "ERROR", "STATUS_CODE_ERROR"}
    message = status.get("message") if failed and isinstance(status, dict) else None
    return {"state": "error" if failed else "ok", "message": message}


def _remark(about: Mapping[str, Any]) -> Remark:
    share = about["failed"] / about["records"]
    reasons = [f"{reason} ({count:,})" for reason, count in about["reasons"].items()]
    title = f"{about['failed']:,} of {about['records']:,} records failed ({share:.1%}), mostly: {reasons[0]}"
    if len(reasons) == 1:
        title = title.replace(", mostly", "").removesuffix(f" ({about['failed']:,})")
    parts = ["; ".join(reasons[1:3])] if len(reasons) > 1 else []
    if "from" in about:
        begun, ended = (about[name][:19].replace("T", " ") for name in ("from", "to"))
        parts.append(f"from {begun} to {ended}" if begun != ended else f"at {begun}")
    weight = 56 + min(22.0, 100 * share) if share >= _NOTABLE else 43.0
    return Remark(weight, "failed", title, "; ".join(parts), about["file"])
