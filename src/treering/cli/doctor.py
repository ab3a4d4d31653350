"""`treering doctor`: is everything as it should be?"""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Annotated, Any

import typer

from treering.cli._options import Config, Data, Report
from treering.cli._screen import as_json

if TYPE_CHECKING:
    from collections.abc import Mapping

_LOW_DISK = 1 << 30


def doctor(
    form: Annotated[Report, typer.Option("--format", help="How to write the findings.")] = Report.TEXT,
    data: Data = None,
    config: Config = None,
) -> None:
    """Check records in against records kept, the store's files, disk and ports; exit 1 when something is wrong.

    Example: treering doctor --data treering-data
    """

    from treering.cli import _connection
    from treering.cli._screen import EXIT_FINDINGS, console, safe

    settings = _connection.settings(config, data)
    with _connection.connected(settings) as client:
        status = client.get("/api/status")
    served = _connection.server(settings) is not None
    checks = [*_checks(status), _disk(str(settings.directory))]
    if form is Report.JSON:
        found = [{"check": name, "ok": ok, "detail": detail} for name, ok, detail in checks]
        body = {"version": status["version"], "served": served, "checks": found, "store": status["store"]}
        as_json(body)
    else:
        screen = console()
        by = "a running server" if served else "this command"
        screen.print(f"treering {status['version']}, {settings.directory} read by {by}")
        for name, ok, detail in checks:
            screen.print(f"{'ok   ' if ok else 'WRONG'} {name}: {safe(detail)}", style="" if ok else "red")
    if not all(ok for _, ok, _ in checks):
        raise typer.Exit(EXIT_FINDINGS)


def _checks(status: Mapping[str, Any]) -> list[tuple[str, bool, str]]:
    found = [("records", True, f"{status['rows']:,} in {status['streams']} streams")]
    for balance in status["conservation"]:
        parts = ("received", "stored", "rejected", "dropped", "in_flight")
        sums = ", ".join(f"{balance[part]:,} {part.replace('_', ' ')}" for part in parts)
        found.append((f"receiver {balance['receiver']}", balance["holds"], sums))
    for item in status["listeners"]:
        # A port that is taken is a warning; a source that gets no answer is something to look at.
        failing = item["state"].startswith("failing: ")
        found.append((f"port {item['name']}", not failing, f"{item['address']} {item['state']}"))
    store = status["store"]
    wrong = [*store.get("damage", ()), *(f"{name}: {why}" for name, why in store.get("trouble", {}).items())]
    whole = f"{store.get('segments', 0)} segments readable, {store.get('unflushed_rows', 0):,} records in the log"
    found.append(("store", not wrong, "; ".join(wrong) or whole))
    if (watching := status.get("detection")) is not None:
        failed = [
            f"{name} failed {about['count']:,} times: {about['last']}" for name, about in watching["failures"].items()
        ]
        wrong = [*failed, *([watching["trouble"]] if watching["trouble"] else [])]
        well = f"{len(watching['detectors'])} detectors, {watching['lag_records']:,} records behind"
        found.append(("detection", not wrong, "; ".join(wrong) or well))
    return found


def _disk(directory: str) -> tuple[str, bool, str]:
    from treering.cli._screen import size

    usage = shutil.disk_usage(directory)
    return "disk", usage.free > _LOW_DISK, f"{size(usage.free)} free of {size(usage.total)}"
