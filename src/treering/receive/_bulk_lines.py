"""The body of `_bulk`: pairs of lines, an action and its document (docs.opensearch.org, Bulk API).

Lines are read as OpenSearch's `BulkRequestParser` reads them: a wrong action line fails the whole request, because
nobody can tell where the next one begins; a wrong document fails only its item; empty lines between pairs are skipped.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import msgspec

from treering.core.errors import UserError

OPERATIONS = frozenset({"index", "create", "delete", "update"})
# Accepted and without effect here: one shard, no pipelines, mappings from the data.
_IGNORED = frozenset(
    "_type routing _routing parent _parent version _version version_type _version_type retry_on_conflict"
    " _retry_on_conflict pipeline require_alias require_data_stream list_executed_pipelines dynamic_templates"
    " if_seq_no if_primary_term _source".split()
)
_MEANT = frozenset({"_index", "_id", "op_type"})
_MAX_ID_BYTES = 512
_decode = msgspec.json.Decoder().decode


class Action(NamedTuple):
    """What to do with a document, and where."""

    operation: str
    target: str
    id: str | None = None


class Item(NamedTuple):
    """An action and its document, or the reason why the document cannot be read."""

    action: Action
    document: dict[str, Any] | None = None
    problem: str | None = None


def parse(body: bytes, default_index: str | None = None) -> list[Item]:
    """Return the items of a bulk body. Raises `UserError` with OpenSearch's words when an action line is wrong."""
    if not body:
        raise UserError("request body is required")
    lines = body.split(b"\n")
    if lines.pop():
        raise UserError("The bulk request must be terminated by a newline [\\n]")
    items: list[Item] = []
    known: dict[bytes, Action] = {}
    position, count = 0, len(lines)
    while position < count:
        line = lines[position]
        position += 1
        action = known.get(line)
        if action is None:
            if not line.strip():
                continue
            action = read_action(line, position, default_index)
            if action.id is None:
                known[line] = action
        if action.operation == "delete":
            items.append(Item(action))
        elif position == count:
            items.append(Item(action, None, "the document is missing"))
        else:
            items.append(_item(action, lines[position]))
            position += 1
    if not items:
        raise UserError("Validation Failed: 1: no requests added;")
    return items


def _item(action: Action, line: bytes) -> Item:
    try:
        document = _decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        return Item(action, None, f"failed to parse: {error}")
    if type(document) is not dict:
        return Item(action, None, "failed to parse: a document is a json object")
    return Item(action, document)


def read_action(line: bytes, number: int, default_index: str | None) -> Action:
    """Return the action of a line; `number` is told when it is wrong. Raises `UserError`."""
    try:
        parsed = _decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise UserError(f"Malformed action/metadata line [{number}]: {error}") from error
    if not isinstance(parsed, dict) or len(parsed) != 1:
        found = type(parsed).__name__ if not isinstance(parsed, dict) else f"{len(parsed)} fields"
        raise UserError(f"Malformed action/metadata line [{number}], expected one field but found [{found}]")
    ((operation, meta),) = parsed.items()
    if operation not in OPERATIONS:
        raise UserError(
            f"Malformed action/metadata line [{number}], expected field [create], [delete], [index] or [update] "
            f"but found [{operation[:80]}]"
        )
    if not isinstance(meta, dict):
        raise UserError(f"Malformed action/metadata line [{number}], expected START_OBJECT")
    return _validated(operation, meta, number, default_index)


def _validated(operation: str, meta: dict[str, Any], number: int, default_index: str | None) -> Action:
    values = _simple_values(meta, number)
    index, identifier = values.get("_index", default_index), values.get("_id")
    if operation == "index" and values.get("op_type") == "create":
        operation = "create"
    if not index:
        raise UserError(f"Validation Failed: {number}: index is missing;")
    if operation in ("delete", "update") and not identifier:
        raise UserError(f"Validation Failed: {number}: id is missing;")
    if identifier == "":
        raise UserError(f"if _id is specified it must not be empty (line {number})")
    if identifier and len(identifier.encode(errors="replace")) > _MAX_ID_BYTES:
        raise UserError(f"id is too long, must be no longer than {_MAX_ID_BYTES} bytes (line {number})")
    return Action(operation, index, identifier)


def _simple_values(meta: dict[str, Any], number: int) -> dict[str, str]:
    values: dict[str, str] = {}
    for name, value in meta.items():
        if name not in _MEANT:
            if name not in _IGNORED:
                raise UserError(f"Action/metadata line [{number}] contains an unknown parameter [{name[:80]}]")
        elif isinstance(value, str):
            values[name] = value
        elif isinstance(value, int) and not isinstance(value, bool):
            values[name] = str(value)  # OpenSearch takes a number as its digits
        elif value is not None:
            raise UserError(f"Malformed action/metadata line [{number}], expected a simple value for field [{name}]")
    return values
