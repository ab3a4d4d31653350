"""Evidence frozen by hash: copies of the records that show an incident, which no retention can take away.

Each record is kept as canonical JSON (keys sorted, UTF-8) with its SHA-256; the hash of a bundle is that of the list of
its records' hashes and references, so one can tell whether anything was changed, added or left out.
"""

from __future__ import annotations

import hashlib
import io
import zipfile
from typing import TYPE_CHECKING, Any

import msgspec
from sqlglot import exp

from treering.app.casebook import Frozen
from treering.correlate.clue import Clue, context
from treering.model.times import format_ns
from treering.stage.store import Limits, Query, ResultColumn, Scan

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    from treering.model.finding import Evidence, Finding
    from treering.stage.store import Store

MAX_RECORDS = 500
MAX_BYTES = 1 << 20
_SPANS, _ROUTE = "spans", "attributes.http.route"
_AROUND_NS = 600 * 10**9
_AT_ONCE, _MOST_FIRST = 50, 5000
_ZIP_TIME = (1980, 1, 1, 0, 0, 0)


def reference(item: Evidence) -> str:
    """Return where an evidence record is: `spans/17`, or for a file that is not in the store `app.log:120`."""
    return f"{item.stream}/{item.seq}" if item.seq >= 0 else item.source or f"{item.stream}/unknown"


def records(store: Store, findings: Iterable[Finding]) -> dict[str, Mapping[str, Any]]:
    """Return the records that `findings` refer to and that are still in the store, by reference."""
    wanted: dict[str, list[int]] = {}
    for finding in findings:
        for item in finding.evidence:
            if item.seq >= 0:
                wanted.setdefault(item.stream, []).append(item.seq)
    found: dict[str, Mapping[str, Any]] = {}
    for stream, seqs in wanted.items():
        if store.streams(stream):
            numbers = sorted(set(seqs))
            found |= {f"{stream}/{seq}": record for seq, record in store.records(stream, numbers).items()}
    return found


def clues(store: Store, findings: Sequence[Finding], dismissed: Collection[str] = ()) -> Iterator[Clue]:
    """Yield what the fold is to know about findings: what their evidence says about where it happened.

    The store is asked once for some dozens of them. `dismissed` are fingerprints.
    """
    for low in range(0, len(findings), _AT_ONCE):
        part = findings[low : low + _AT_ONCE]
        held, entries = records(store, part), _entries(store, part)
        for finding in part:
            names = dict.fromkeys(reference(item) for item in finding.evidence if item.seq >= 0)
            shown = [held[name] for name in names if name in held]
            came_in = tuple(_came_in(finding, entries))
            yield Clue(finding, context(shown), finding.fingerprint in dismissed, came_in)


def _came_in(finding: Finding, entries: Mapping[str, Sequence[tuple[int, str]]]) -> Iterator[str]:
    """Yield where the trace of each record came in, of those whose first span is in the store by now."""
    for item in finding.evidence:
        if item.trace_id in entries:
            start, end = _around(finding)
            yield from [entry for at_ns, entry in entries[item.trace_id] if start <= at_ns < end][:1]


def _around(finding: Finding) -> tuple[int, int]:
    """Return in what time the first spans of a finding's traces are sought."""
    times = [item.time_ns for item in finding.evidence if item.trace_id]
    return min(times) - _AROUND_NS, max(times) + _AROUND_NS


def _entries(store: Store, findings: Sequence[Finding]) -> dict[str, list[tuple[int, str]]]:
    """Return by trace when its first spans began and where they came in: route, else name."""
    traced = [finding for finding in findings if any(item.trace_id for item in finding.evidence)]
    if not traced or not store.streams(_SPANS):
        return {}
    known_fields = store.schema((_SPANS,))
    fields = ("_time", *(field for field in ("traceId", "parentSpanId", _ROUTE, "name") if known_fields.get(field)))
    trace, parent, route, name = (_column(field, fields) for field in ("traceId", "parentSpanId", _ROUTE, "name"))
    is_first = exp.EQ(this=exp.Coalesce(this=parent, expressions=[_text("")]), expression=_text(""))
    wanted = trace.copy().isin(*sorted({item.trace_id for f in traced for item in f.evidence if item.trace_id}))
    where = exp.And(this=wanted, expression=is_first)
    starts, ends = zip(*map(_around, traced), strict=True)
    scan = Scan((_SPANS,), fields, min(starts), max(ends), where=where)
    at = _column("_time", fields)
    select = exp.select(at, trace, exp.Coalesce(this=route, expressions=[name])).from_(exp.to_table("records"))
    select = select.where(where.copy()).order_by(at.copy()).limit(_MOST_FIRST)
    columns = (ResultColumn("_time", "timestamp"), ResultColumn("traceId", "string"), ResultColumn("entry", "string"))
    found: dict[str, list[tuple[int, str]]] = {}
    for at_ns, trace_id, entry in store.run(Query(select, {"records": scan}, columns), Limits(_MOST_FIRST)).rows:
        if entry:
            found.setdefault(trace_id, []).append((at_ns, entry))
    return found


def _column(field: str, fields: Sequence[str]) -> exp.Expression:
    """Return a column, null where no record of the stream has the field."""
    return exp.column(exp.to_identifier(field, quoted=True)) if field in fields else exp.null()


def _text(value: str) -> exp.Expression:
    return exp.Literal.string(value)


def freeze(store: Store, findings: Sequence[Finding], kept: set[str], now_ns: int) -> list[Frozen]:
    """Return copies of evidence that is not among the references `kept`, at most 500 with those."""
    missing: dict[str, tuple[Evidence, str]] = {}
    for finding in findings:
        for item in finding.evidence:
            name = reference(item)
            if name not in kept and len(kept) + len(missing) < MAX_RECORDS:
                missing.setdefault(name, (item, finding.fingerprint))
    if not missing:
        return []
    held = records(store, findings)
    return [_frozen(name, item, by, held.get(name), now_ns) for name, (item, by) in missing.items()]


def _frozen(name: str, item: Evidence, finding: str, record: Mapping[str, Any] | None, now_ns: int) -> Frozen:
    content: dict[str, Any] = {"ref": name, "time": format_ns(item.time_ns)}
    if record is None:  # not in the store (any more): the excerpt is all there is
        content["excerpt"] = {"field": item.field, "text": item.excerpt}
    else:
        content["record"] = record
    body = _canonical(content)
    if len(body) > MAX_BYTES:
        whole = hashlib.sha256(body).hexdigest()
        excerpt = {"field": item.field, "text": item.excerpt}
        body = _canonical({"ref": name, "time": format_ns(item.time_ns), "whole_sha256": whole, "excerpt": excerpt})
    return Frozen(name, finding, item.time_ns, now_ns, hashlib.sha256(body).hexdigest(), body)


def _canonical(content: Any) -> bytes:
    return msgspec.json.encode(content, order="sorted")


def digest(found: Sequence[Frozen]) -> str:
    """Return the hash of a bundle: SHA-256 of one line `HASH  REFERENCE` for each record, in order of reference."""
    lines = "".join(f"{item.sha256}  {item.ref}\n" for item in sorted(found, key=lambda item: item.ref))
    return hashlib.sha256(lines.encode()).hexdigest()


def manifest(identifier: str, found: Sequence[Frozen]) -> dict[str, Any]:
    """Return what a bundle holds: every record's reference, time, hash and whether the hash still fits."""
    return {
        "incident": identifier,
        "algorithm": "sha256",
        "records": [
            {
                "ref": item.ref,
                "finding": item.finding,
                "time": format_ns(item.time_ns),
                "frozen": format_ns(item.frozen_ns),
                "bytes": len(item.body),
                "sha256": item.sha256,
                "intact": hashlib.sha256(item.body).hexdigest() == item.sha256,
            }
            for item in sorted(found, key=lambda item: item.ref)
        ],
        "sha256": digest(found),
    }


def bundle(identifier: str, found: Sequence[Frozen]) -> dict[str, Any]:
    """Return the manifest with the records themselves, each as the JSON text that its hash is of."""
    records = {item.ref: item.body.decode() for item in found}
    about = manifest(identifier, found)
    return {**about, "records": [{**line, "content": records[line["ref"]]} for line in about["records"]]}


def archive(identifier: str, found: Sequence[Frozen], more: Mapping[str, bytes] | None = None) -> bytes:
    """Return a ZIP file: `manifest.json`, `SHA256SUMS` (for `sha256sum -c`), the records, and `more` files.

    Equal evidence gives equal bytes. Names of members are numbers: what a log calls itself never becomes a path.
    """
    ordered = sorted(found, key=lambda item: item.ref)
    names = {item.ref: f"records/{number:04d}.json" for number, item in enumerate(ordered)}
    about = manifest(identifier, found)
    for line in about["records"]:
        line["file"] = names[line["ref"]]
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as file:
        sums = "".join(f"{item.sha256}  {names[item.ref]}\n" for item in ordered)
        members = {
            "manifest.json": msgspec.json.format(msgspec.json.encode(about), indent=2),
            "SHA256SUMS": sums.encode(),
        }
        members |= {names[item.ref]: item.body for item in ordered} | dict(more or {})
        for name, content in members.items():
            info = zipfile.ZipInfo(name, _ZIP_TIME)
            info.compress_type = zipfile.ZIP_DEFLATED
            file.writestr(info, content)
    return out.getvalue()
