"""What the ids in `template.id` stand for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from treering.api.service import Service

_MOST = 1000


async def templates(service: Service, ids: Sequence[str] = ()) -> dict[str, Any]:
    """Return id and text of the templates asked for; without ids the most frequent ones with about how often."""
    held = service.templates
    if held is None:
        return {"templates": []}
    if not ids:
        return {"templates": await service.call(held.listed, _MOST)}
    texts = await service.call(held.texts, ids[:_MOST])
    return {"templates": [{"id": one, "text": text} for one, text in texts.items()]}
