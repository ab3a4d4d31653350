"""`_field_caps`: which fields there are, of which types, and whether they can be searched and aggregated."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from treering.receive import _elastic
from treering.receive._opensearch_indices import found, no_index

if TYPE_CHECKING:
    from treering.receive._indices import Indices
    from treering.stage.source import Request, Response

_CONTAINERS = frozenset({"object", "nested"})


def field_caps(indices: Indices, request: Request) -> Response:
    """Answer the capabilities of the fields that `fields` names (patterns, several with commas)."""
    infos = found(indices, request)
    pattern = request.params.get("index", "*")
    if not infos and "*" not in pattern:
        return no_index(request, pattern)
    asked = request.query.get("fields") or _elastic.json_object(request).get("fields", "*")
    wanted = asked.split(",") if isinstance(asked, str) else [str(one) for one in asked]
    by_name: dict[str, dict[str, list[str]]] = {}
    for info in infos:
        for field in indices.store.schema([info.name]):
            if any(fnmatchcase(field.name, one) for one in wanted):
                by_name.setdefault(field.name, {}).setdefault(field.type, []).append(info.name)
    names = [info.name for info in infos]
    fields = {name: _caps(types) for name, types in sorted(by_name.items())}
    return _elastic.answer(request, {"indices": names, "fields": fields})


def _caps(types: dict[str, list[str]]) -> dict[str, Any]:
    out: dict[str, Any] = {}
    for kind, names in types.items():
        plain = kind not in _CONTAINERS
        # Texts can be counted here, which `text` of OpenSearch cannot; clients offer what this says.
        caps: dict[str, Any] = {"type": kind, "searchable": plain, "aggregatable": plain}
        out[kind] = caps if len(types) == 1 else {**caps, "indices": names}
    return out
