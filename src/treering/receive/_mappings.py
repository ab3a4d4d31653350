"""Mappings as clients send them, made safe: only objects with known types reach the store.

A wrong mapping would make every later query of its stream fail. `PUT` is told what is wrong, as OpenSearch tells it;
from templates, which are written for many versions of two products, the wrong parts are left out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from treering.core.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Mapping

MAX_FIELDS, MAX_DEPTH = 20_000, 20
TYPES = frozenset(
    "text match_only_text search_as_you_type annotated_text semantic_text completion keyword constant_keyword wildcard "
    "version long integer short byte double float half_float scaled_float unsigned_long counted_keyword boolean binary "
    "date date_nanos ip integer_range long_range float_range double_range date_range ip_range object nested join "
    "flat_object flattened passthrough geo_point geo_shape point shape xy_point xy_shape alias token_count percolator "
    "rank_feature rank_features knn_vector dense_vector sparse_vector histogram exponential_histogram "
    "aggregate_metric_double murmur3".split()
)


def checked(mapping: Mapping[str, Any]) -> dict[str, Any]:
    """Return a mapping (`{"properties": …}` and more). Raises `UserError` naming the first field that is wrong."""
    cleaner = _Cleaner()
    clean = cleaner.mapping(mapping)
    if cleaner.problems:
        raise UserError(f"Failed to parse mapping: {cleaner.problems[0]}")
    return clean


def cleaned(mapping: Mapping[str, Any]) -> dict[str, Any]:
    """Return a mapping without the fields that are wrong."""
    return _Cleaner().mapping(mapping)


class _Cleaner:
    def __init__(self) -> None:
        self.problems: list[str] = []
        self._left = MAX_FIELDS

    def mapping(self, mapping: Mapping[str, Any]) -> dict[str, Any]:
        properties = mapping.get("properties")
        if properties is None:
            return dict(mapping)
        return {**mapping, "properties": self.properties(properties, "", 1)}

    def properties(self, properties: Any, prefix: str, depth: int) -> dict[str, Any]:
        if not isinstance(properties, dict) or depth > MAX_DEPTH:
            self.problems.append(f"properties of [{prefix[:-1] or '_doc'}] must be an object at most {MAX_DEPTH} deep")
            return {}
        kept = {}
        for name, body in properties.items():
            field = self.field(body, prefix + name, depth)
            if field is not None:
                kept[name] = field
        return kept

    def field(self, body: Any, name: str, depth: int) -> dict[str, Any] | None:
        self._left -= 1
        if problem := self.problem(body, name):
            self.problems.append(problem)
            return None
        if "properties" not in body:
            return dict(body)
        return {**body, "properties": self.properties(body["properties"], f"{name}.", depth + 1)}

    def problem(self, body: Any, name: str) -> str | None:
        name = name[:200]
        if self._left < 0:
            return f"Limit of total fields [{MAX_FIELDS}] has been exceeded"
        if not isinstance(body, dict):
            return f"Expected map for property [{name}]"
        kind = body.get("type", "object" if "properties" in body else None)
        if kind is None:
            return f"No type specified for field [{name}]"
        if not isinstance(kind, str) or kind not in TYPES:
            return f"No handler for type [{str(kind)[:60]}] declared on field [{name}]"
        if not all(isinstance(body.get(option, ""), str) for option in ("format", "path")):
            return f"format and path of field [{name}] are texts"
        return None
