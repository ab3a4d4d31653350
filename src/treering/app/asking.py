"""How detectors ask the store: PPL over a time range, within limits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from treering import query
from treering.stage.store import Limits

if TYPE_CHECKING:
    from collections.abc import Callable

    from treering.stage.store import Store

LIMITS = Limits(rows=50_000, seconds=20.0, memory_bytes=512 << 20)


def asker(store: Store, now_ns: Callable[[], int], limits: Limits = LIMITS) -> Callable[..., list[dict[str, Any]]]:
    """Return what answers PPL over `store` as rows. It raises `UserError` for a wrong query or at a limit."""

    def ask(ppl: str, start_ns: int | None = None, end_ns: int | None = None) -> list[dict[str, Any]]:
        compiled = query.compile(
            ppl, schema=store.schema, now_ns=now_ns(), time_range=(start_ns, end_ns), rows=limits.rows
        )
        answer = store.run(compiled, limits)
        names = [column.name for column in answer.columns]
        return [dict(zip(names, row, strict=True)) for row in answer.rows]

    return ask
