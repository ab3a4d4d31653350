"""How the fields that queries name are indexed in OpenSearch: under which path, as what, and what is missing there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from treering.model.columns import ID, Kind, logical, split
from treering.query.types import Type, type_of
from treering.store.opensearch.columns import ROOT, TEXTS, path_of

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from treering.model.schema import FieldType, StreamSchema
    from treering.store.opensearch.target import Target

_NUMBERS = frozenset({"byte", "short", "integer", "long", "double", "float", "half_float"})
_OF_KIND = {Kind.LONG: "long", Kind.DOUBLE: "double", Kind.BOOLEAN: "boolean", Kind.TIME: "date_nanos"}
_RUNS = f"{ROOT}.words"
_STANDARD = (None, "standard", "default")
# Options with which the index says something else than the document.
_BENT = ("null_value", "normalizer", "search_analyzer", "script", "ignore_malformed", "coerce")


@dataclass(frozen=True, slots=True)
class Indexed:
    """A field in the index.

    `type` is that of the index, "keyword" for texts; `whole` is where whole texts are found, `words` where the words of
    the standard analyzer are, and `runs` where those of all fields are: runs of ASCII letters, digits and `_`. In some
    documents the value may be `elsewhere`: not in the index under its path. `lists` says that some documents may hold
    several values, `kind` what the field is to PPL.
    """

    name: str
    kind: Type
    type: str
    path: str
    whole: str | None = None
    words: str | None = None
    elsewhere: Mapping[str, Any] | None = None
    lists: bool = False
    runs: str | None = None

    @property
    def complete(self) -> bool:
        """Whether what the index says about the field is so for every document."""
        return self.elsewhere is None and not self.lists


class Fields:
    """Finds the fields of one target in its index."""

    def __init__(self, target: Target, schema: StreamSchema, left: Collection[str] | None = None) -> None:
        """Look fields up by `schema`, that of the query; `left` are those that some document of ours keeps apart.

        None says that this is not known.
        """
        self._target = target
        self._schema = schema
        self._left = left

    def get(self, name: str) -> Indexed | None:
        """Return the field, or None when nothing can be said about it by the index."""
        if name == ID:
            return Indexed(ID, Type.STRING, "keyword", f"{ROOT}.id", f"{ROOT}.id") if self._target.own else None
        field = self._schema.get(name)
        if field is None or "lists" in field.options:
            return None
        return self._ours(field) if self._target.own else _of_others(field, self._target)

    def _ours(self, field: FieldType) -> Indexed | None:
        columns = self._target.columns
        names = [name for name in field.physical if ":" in name and logical(split(name)[0]) == field.name]
        paths = {path_of(split(name)[0]) for name in names}
        if columns is None or len(paths) != 1:
            return None
        (path,) = paths
        held = columns.kinds.get(path)
        if held is None or held is Kind.JSON:
            return None
        left = self._left is None or field.name in self._left
        elsewhere = {"term": {f"{ROOT}.left": field.name}} if left else None
        kind, lists = type_of(field), field.holds_lists
        if held is not Kind.STRING:
            return Indexed(field.name, kind, _OF_KIND[held], path, elsewhere=elsewhere, lists=lists)
        analysed = path in TEXTS
        whole = f"{path}.keyword" if analysed else path
        return Indexed(field.name, kind, "keyword", path, whole, path if analysed else None, elsewhere, lists, _RUNS)


def _of_others(field: FieldType, target: Target) -> Indexed | None:
    """Return a field of an index whose mapping somebody else wrote."""
    options = field.options
    if _is_hidden(field.name, target.mapping) or any(name in options for name in _BENT):
        return None
    kind, lists = type_of(field), field.holds_lists
    if field.type in {"text", "match_only_text"}:
        return _text_of_others(field, lists=lists)
    if field.type == "keyword":
        elsewhere = {"bool": {"must_not": [{"exists": {"field": field.name}}]}} if "ignore_above" in options else None
        return Indexed(field.name, kind, "keyword", field.name, field.name, None, elsewhere, lists)
    if field.type in _NUMBERS or field.type in {"boolean", "ip"}:
        return Indexed(field.name, kind, field.type, field.name, lists=lists)
    if field.type in {"date", "date_nanos"} and kind is Type.TIMESTAMP:
        return Indexed(field.name, kind, field.type, field.name, lists=lists)
    return None


def _text_of_others(field: FieldType, *, lists: bool) -> Indexed:
    words = field.name if field.options.get("analyzer") in _STANDARD else None
    for name, body in field.options.get("fields", {}).items():
        if body.get("type") == "keyword" and not any(option in body for option in _BENT):
            whole = f"{field.name}.{name}"
            # What is too long for the index of whole texts is among the words alone.
            missing = {
                "bool": {
                    "filter": [{"exists": {"field": field.name}}],
                    "must_not": [{"exists": {"field": whole}}],
                }
            }
            elsewhere = missing if "ignore_above" in body else None
            return Indexed(field.name, Type.STRING, "keyword", field.name, whole, words, elsewhere, lists)
    return Indexed(field.name, Type.STRING, "keyword", field.name, None, words, None, lists)


def _copied(mapping: Mapping[str, Any]) -> set[str]:
    """Return the fields that the index fills with values of other fields."""
    found: set[str] = set()
    for body in mapping.get("properties", {}).values():
        held = body.get("copy_to", [])
        found.update([held] if isinstance(held, str) else held)
        found |= _copied(body)
    return found


def _is_hidden(name: str, mapping: Mapping[str, Any]) -> bool:
    """Whether the index lacks values of a field, or has others: those of inner documents, or copied ones."""
    level = mapping
    if level.get("dynamic", True) in {False, "false"} or name in _copied(mapping):
        return True
    for step in name.split("."):
        level = level.get("properties", {}).get(step, {})
        if level.get("type") in {"nested", "flat_object"} or False in {level.get("enabled"), level.get("index")}:
            return True
        if level.get("dynamic", True) in {False, "false"}:
            return True
    return False
