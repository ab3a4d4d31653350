"""Who did what to which collection: the audit records of Weaviate, Qdrant and Pinecone in one form.

An enricher over `logs`. Weaviate's RBAC lines and refusals (usecases/auth/authorization/rbac), Qdrant's audit log
(lib/storage/src/audit.rs) and Pinecone's audit events (docs.pinecone.io, "Security overview") keep what they say.
Beside it, in columns of our own, stands the same in OpenTelemetry's `db.*`, `user.id` and `client.address`, with
`treering.access.result` (`allowed`, `denied`; none of what failed otherwise), `.kind` (`data`, `schema`, `role`,
`backup`, `cluster`), `.target` (who was given or lost a role), `.role` and `.collections` (where there are several).
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import msgspec
from arro3.core import Array, Field, RecordBatch, Schema

from treering.model.batch import Batch
from treering.model.columns import ARROW, OWN, Kind

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

Access = dict[str, Any]
USER, SYSTEM, OPERATION = "user.id", "db.system.name", "db.operation.name"
COLLECTION, NAMESPACE = "db.collection.name", "db.namespace"
ADDRESS, CLIENT = "client.address", "user_agent.original"
RESULT, KIND, TARGET, ROLE = (
    "treering.access.result",
    "treering.access.kind",
    "treering.access.target",
    "treering.access.role",
)
COLLECTIONS, DURATION = "treering.access.collections", "db.client.operation.duration"
_ALLOWED, _DENIED = "allowed", "denied"
_PART = re.compile(r"([A-Z][A-Za-z ]*?): ([^,\]]*)")
_NOT_GRANTED = re.compile(r'"results":"(?!success")')
_REFUSED = re.compile(r"user '([^']{1,256})' has insufficient permissions to (\w+)")
_NOT_PERMITTED = re.compile(r"permi|forbidden|denied|unauth|not auth|\b40[13]\b", re.IGNORECASE)
_DOMAINS = {
    "data": "data", "collections": "schema", "schema": "schema", "tenants": "schema", "aliases": "schema",
    "replicate": "cluster", "nodes": "cluster", "cluster": "cluster", "backups": "backup", "roles": "role",
    "users": "role", "groups": "role", "mcp": "data",
}  # fmt: skip
_LETTERS = {"C": "create", "R": "read", "U": "update", "D": "delete", "A": "manage"}
_VERBS = (
    ("read", re.compile(r"search|query|get|read|list|scroll|retrieve|fetch|count|recommend|discover|facet|describe")),
    ("delete", re.compile(r"delete|remove|clear|drop|revoke")),
    ("create", re.compile(r"create|upsert|insert|add|put|recover|upload")),
    ("update", re.compile(r"update|set|overwrite|patch|configure|change|edit|rename|replace")),
)
_PINECONE_KINDS = (
    ("data", re.compile(r"record|vector|namespace|import")),
    ("role", re.compile(r"key|user|account|invite|member|role|sso")),
    ("backup", re.compile(r"backup|restore|snapshot")),
    ("schema", re.compile(r"index|collection|assistant")),
)


def enrich(batch: Batch) -> Batch:
    """Return `batch` with the columns of what its audit records say, or as it is when it holds none."""
    if batch.stream != "logs":
        return batch
    names = frozenset(batch.data.schema.names)
    found: dict[int, Access] = {}
    for marks, wanted, read in _SYSTEMS:
        if marks <= names:
            found |= _read(batch, names, marks, wanted, read)
    return _with_columns(batch, found) if found else batch


def _read(
    batch: Batch,
    names: frozenset[str],
    marks: frozenset[str],
    wanted: Mapping[str, str],
    read: Callable[[Mapping[str, Any]], Access | None],
) -> dict[int, Access]:
    """Return by row number what `read` makes of the rows in which all `marks` are filled."""
    filled = [batch.data.column(name).to_pylist() for name in sorted(marks)]
    rows = [index for index, values in enumerate(zip(*filled, strict=True)) if None not in values]
    if not rows:
        return {}
    held = {short: batch.data.column(name).to_pylist() for short, name in wanted.items() if name in names}
    out = {}
    for index in rows:
        access = read({short: values[index] for short, values in held.items()})
        if access:
            out[index] = access
    return out


def _with_columns(batch: Batch, found: Mapping[int, Access]) -> Batch:
    columns: dict[str, list[Any]] = {}
    count = batch.rows
    for index, access in found.items():
        for name, value in access.items():
            if value is None or value == "":
                continue
            column = columns.get(name)
            if column is None:
                columns[name] = column = [None] * count
            column[index] = value
    data, schema = batch.data, batch.data.schema
    fields = {name: schema.field(name) for name in schema.names}
    arrays: dict[str, Any] = {name: data.column(name) for name in schema.names}
    for short, values in columns.items():
        kind = Kind.DOUBLE if short == DURATION else Kind.JSON if short == COLLECTIONS else Kind.STRING
        name = f"{OWN}attributes/{short}:{kind.value}"
        if name in arrays:  # another enricher's, for other rows
            for index, before in enumerate(arrays[name].to_pylist()):
                values[index] = before if values[index] is None else values[index]
        fields[name] = Field(name, ARROW[kind])
        arrays[name] = Array(values, ARROW[kind])
    return Batch(batch.stream, RecordBatch.from_arrays(list(arrays.values()), schema=Schema(list(fields.values()))))


def weaviate(row: Mapping[str, Any]) -> Access | None:
    """Return what a line of Weaviate's about its roles says."""
    if row.get("component") != "RBAC":
        return None
    access: Access = {SYSTEM: "weaviate", USER: row.get("user"), ADDRESS: row.get("source_ip")}
    action = str(row.get("action"))
    if action == "authorize":
        named = _resources(f"{row.get('permissions') or ''}{row.get('resource') or row.get('resources') or ''}")
        # The first versions wrote `read_data` for what was `R` later, and refusals at level info.
        denied = named.pop("denied") or row.get("level") == "error" or row.get("results") == "failed"
        letter, _, domain = str(row.get("request_action") or "").partition("_")
        if letter.islower():
            named |= {KIND: _DOMAINS.get(domain, domain)}
        operation = _LETTERS.get(letter[:1].upper(), "manage")
        return access | named | {OPERATION: operation, RESULT: _DENIED if denied else _ALLOWED}
    access |= {KIND: "role", RESULT: _ALLOWED, TARGET: row.get("target") or row.get("group"), OPERATION: "manage"}
    access[ROLE] = row.get("role_name") or ", ".join(_texts(row.get("roles")))
    if action in ("create_role", "delete_role"):
        access[OPERATION] = action.partition("_")[0]
        access |= {name: value for name, value in _granted(row.get("permissions") or "").items() if value}
    return access


def weaviate_refusal(row: Mapping[str, Any]) -> Access | None:
    """Return what the error of a refused request says: unlike the audit line beside it, it names the collection."""
    error = str(row.get("error"))
    refused = _REFUSED.search(error)
    if refused is None:
        return None
    named = _resources(error)
    named.pop("denied", None)
    named.setdefault(COLLECTION, row.get("class_name"))
    return {SYSTEM: "weaviate", USER: refused[1], **named, OPERATION: _verb(refused[2]), RESULT: _DENIED}


def weaviate_query(row: Mapping[str, Any]) -> Access | None:
    """Return what a slow or sampled query of Weaviate's says; its `took` counts nanoseconds."""
    took = row.get("took")
    return {
        SYSTEM: "weaviate", OPERATION: "read", COLLECTION: row.get("collection"), NAMESPACE: row.get("tenant"),
        DURATION: took / 1e9 if isinstance(took, int) else None,
    }  # fmt: skip


def qdrant(row: Mapping[str, Any]) -> Access | None:
    """Return what a line of Qdrant's audit log says."""
    if row.get("result") not in ("ok", "denied") or row.get("auth_type") not in ("Jwt", "ApiKey", "None"):
        return None
    method = str(row.get("method")).lower()
    kind = (
        "backup" if "snapshot" in method else "schema" if "collection" in method and "point" not in method else "data"
    )
    return {
        SYSTEM: "qdrant", USER: row.get("subject") or row.get("auth_type"), OPERATION: _verb(method),
        COLLECTION: row.get("collection"), RESULT: _ALLOWED if row["result"] == "ok" else _DENIED, KIND: kind,
        ADDRESS: _host(str(row.get("remote") or "")),
    }  # fmt: skip


def pinecone(row: Mapping[str, Any]) -> Access | None:
    """Return what an audit event of Pinecone's says."""
    resource = str(row.get("type")).lower()
    kind = next((name for name, pattern in _PINECONE_KINDS if pattern.search(resource)), "cluster")
    named = row.get("name") if kind in ("schema", "data") else None
    return {
        SYSTEM: "pinecone", USER: row.get("principal") or row.get("principal_id"),
        OPERATION: _verb(str(row.get("action")).lower()),
        COLLECTION: row.get("index") or named, NAMESPACE: row.get("namespace"), KIND: kind,
        RESULT: _ALLOWED if row.get("result") == "success" else _DENIED if _is_refusal(row) else None,
        TARGET: row.get("name") if kind == "role" else None, CLIENT: row.get("client"),
    }  # fmt: skip


def _is_refusal(row: Mapping[str, Any]) -> bool:
    """Whether what failed was not permitted, rather than not there or malformed; what gives no reason may have been."""
    why = f"{row.get('error_code') or ''} {row.get('reason') or ''}".strip()
    return not why or _NOT_PERMITTED.search(why) is not None


def _verb(method: str) -> str:
    return next((name for name, pattern in _VERBS if pattern.search(method)), "manage")


def _host(address: str) -> str:
    """Return an address without its port."""
    head, colon, port = address.rpartition(":")
    return head.strip("[]") if colon and port.isdigit() and (head.startswith("[") or ":" not in head) else address


def _texts(held: Any) -> list[str]:
    if not isinstance(held, str):
        return []
    try:
        found = msgspec.json.decode(held)
    except msgspec.DecodeError:
        return [held]
    return [str(one) for one in found] if isinstance(found, list) else [held]


@lru_cache(4096)
def _cached_resources(text: str) -> tuple[tuple[str, Any], ...]:
    found: dict[str, Any] = {}
    collections: list[str] = []
    for name, value in _PART.findall(text):
        if name == "Domain":
            found.setdefault(KIND, _DOMAINS.get(value, value))
        elif name == "Collection" and value not in ("*", "") and value not in collections:
            collections.append(value)
        elif name == "Tenant" and value not in ("*", ""):
            found.setdefault(NAMESPACE, value)
        elif name in ("User", "Group") and value != "*":
            found.setdefault(TARGET, value)
        elif name == "Role" and value != "*":
            found.setdefault(ROLE, value)
    if collections:
        found[COLLECTION] = collections[0]
    if len(collections) > 1:
        found[COLLECTIONS] = msgspec.json.encode(collections).decode()
    found["denied"] = _NOT_GRANTED.search(text) is not None
    return tuple(found.items())


def _resources(text: str) -> Access:
    """Return kind, collections, tenant, user and role that resources such as `[Domain: data, Collection: X]` name."""
    return dict(_cached_resources(text))


def _granted(text: str) -> Access:
    """Return the collection that the permissions of a new role are about, if it is one."""
    found = set(re.findall(r'"collection":"([^"*]{1,256})"', text))
    return {COLLECTION: found.pop()} if len(found) == 1 else {}


def _columns(**wanted: str) -> dict[str, str]:
    return {short: f"attributes/{path}" for short, path in wanted.items()}


# Per system: the columns that are filled in its records, those that are read, and how.
_SYSTEMS: tuple[tuple[frozenset[str], Mapping[str, str], Callable[[Mapping[str, Any]], Access | None]], ...] = (
    (
        frozenset({"attributes/component:s", "attributes/action:s", "attributes/user:s"}),
        _columns(
            component="component:s", action="action:s", user="user:s", source_ip="source_ip:s",
            request_action="request_action:s", permissions="permissions:j", resource="resource:s",
            resources="resources:s", results="results:s",
            target="user_to_assign_roles_to:s", group="group_to_assign_roles_to:s", roles="roles:j",
            role_name="roleName:s",
        ) | {"level": "severityText:s"},
        weaviate,
    ),
    (
        frozenset({"attributes/error:s", "attributes/class_name:s", "attributes/query_type:s"}),
        _columns(error="error:s", class_name="class_name:s"),
        weaviate_refusal,
    ),
    (
        frozenset({"attributes/took:l", "attributes/collection:s", "attributes/shard:s"}),
        _columns(took="took:l", collection="collection:s", tenant="tenant:s"),
        weaviate_query,
    ),
    (
        frozenset({"attributes/auth_type:s", "attributes/method:s", "attributes/result:s"}),
        _columns(
            auth_type="auth_type:s", method="method:s", result="result:s", subject="subject:s",
            collection="collection:s", remote="remote:s",
        ),
        qdrant,
    ),
    (
        frozenset({"attributes/event/resource_type:s", "attributes/event/action:s", "attributes/actor/principal_id:s"}),
        _columns(
            type="event/resource_type:s", action="event/action:s", name="event/resource_name:s",
            principal="actor/principal_name:s", principal_id="actor/principal_id:s", result="event/outcome/result:s",
            error_code="event/outcome/error_code:s", reason="event/outcome/reason:s",
            namespace="event/parameters/namespace:s", index="event/parameters/index_name:s",
            client="client/userAgent:s",
        ),
        pinecone,
    ),
)  # fmt: skip
