"""Who did what at a vector database: audit lines as events, from the canonical fields or Weaviate's own."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from treering.model.rows import Rows

ACCESS, DENIED, REASON = "access", "denied", "reason"
GRANT, ROLE, WIDENED = "grant", "role", "widened"
READ, WRITE, DELETE, ADMIN, EXPORT = "read", "write", "delete", "admin", "export"

_RESULT, _OPERATION = "attributes.treering.access.result", "attributes.db.operation.name"
_RESOURCE = re.compile(r"\[Domain: (\w+)(?:, Collection: ([^,\]]+))?(?:, Tenant: ([^,\]]+))?")
_PLAIN = re.compile(r"\b(Collection|Tenant): ([^,\]]+)")
_OUTCOME = re.compile(r"(\[Domain: [^\]]*\])(?:\W{1,4}results\W{1,3}(\w+))?")
_IN_ROLE = re.compile(r"\bcollection\W{1,3}([^\s\"',\]}*]{1,256})")
_KIND, _CLIENT = "attributes.treering.access.kind", "attributes.user_agent.original"
_TARGET, _ROLE = "attributes.treering.access.target", "attributes.treering.access.role"
_REFUSED = re.compile(r"user '([^']{1,200})' has insufficient permissions to (\w+)")
_WEAVIATE = {"R": READ, "C": WRITE, "U": WRITE, "D": DELETE}
_WORDS = {"read": "R", "create": "C", "update": "U", "delete": "D"}
_ASKED = (
    "body",
    *(
        f"attributes.{name}"
        for name in "request_action resource resources results source_ip client_identifier groups".split()
    ),
)
"""`resources` and `results` are of the first versions of the audit trail, `client_identifier` is of later ones."""
_ROLES = {"create_role": ROLE, "add_permissions": WIDENED}
_VERBS = (
    (EXPORT, ("backup", "snapshot", "export", "dump")),
    (DELETE, ("delete", "drop", "remove")),
    (ADMIN, ("grant", "assign", "role", "key", "permission", "user")),
    (WRITE, ("create", "upsert", "insert", "update", "write", "import", "upload", "set")),
)
_ANY = "*"
_COLLECTIONS = ("attributes.gen_ai.data_source.id", "attributes.db.collection.name")
_PEOPLE, _KEYS = ("attributes.user.id", "attributes.enduser.id"), ("attributes.gen_ai.key.id", "attributes.api.key.id")
_ERROR = 2
_PERMISSION = re.compile(
    r"permission|forbidden|unauthori[sz]ed|access denied|not (?:allowed|authori[sz]ed)|\b40[13]\b", re.IGNORECASE
)


class Event(NamedTuple):
    """One line of an audit trail.

    `kind` is access, denied, reason (says more about a refusal), grant (`principal`, or everybody in `groups`, was
    given `roles` by `by`), role (`roles` may read `collections`) or widened (`roles` may now read `collections` too).
    `collections` is empty where the line does not say which. `traced` events are spans of an application: what it did
    for somebody, rather than what the database let it do. One that `explains` a refusal stands beside the audit line of
    the same refusal, where there is an audit trail. `groups` are those of a principal, or those that were given roles.
    `personal` is what an application did for a person rather than for a key or by itself.
    """

    row: int
    at_ns: int
    kind: str
    principal: str
    collections: tuple[str, ...] = ()
    verb: str = READ
    address: str = ""
    by: str = ""
    roles: tuple[str, ...] = ()
    tenant: str = ""
    client: str = ""
    traced: bool = False
    explains: bool = False
    groups: tuple[str, ...] = ()
    personal: bool = False


def events(rows: Rows) -> Iterator[Event]:
    """Yield the events of a batch; nothing for lines that are not of an audit trail."""
    if rows.has("attributes.component"):
        yield from _weaviate(rows)
    elif rows.has("attributes.class_name"):
        yield from _reasons(rows)
    if rows.has(_RESULT):
        yield from _canonical(rows)
    elif rows.stream == "spans":
        yield from _traced(rows)


def is_audited(rows: Rows) -> bool:
    """Whether a batch has lines of Weaviate's audit trail."""
    return rows.has("attributes.component") and "RBAC" in rows.values("attributes.component")


def _column(rows: Rows, *names: str) -> Sequence[Any]:
    name = next((name for name in names if rows.has(name)), "")
    return rows.values(name) if name else [None] * rows.count


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _texts(value: object) -> tuple[str, ...]:
    """Return the texts of a list, or of one as Go prints it in a line of text: `[a b]`."""
    if isinstance(value, str):
        return tuple(value.strip("[]").split())
    return tuple(item for item in value if isinstance(item, str)) if isinstance(value, list) else ()


def _weaviate(rows: Rows) -> Iterator[Event]:
    yield from _reasons(rows)
    actions, users = _column(rows, "attributes.action"), _column(rows, "attributes.user")
    asked = [_column(rows, name) for name in _ASKED]
    permissions = _column(rows, "attributes.permissions")
    times = rows.times
    for index, component in enumerate(rows.values("attributes.component")):
        if component != "RBAC":
            continue
        at_ns, user, action = int(times[index]), _text(users[index]), actions[index]
        if action == "authorize":
            event = Event(index, at_ns, ACCESS, user)
            yield _authorised(event, permissions[index], [column[index] for column in asked])
        elif action == "assign_roles":
            given = _texts(_column(rows, "attributes.roles")[index])
            to = _text(_column(rows, "attributes.user_to_assign_roles_to")[index])
            group = _text(_column(rows, "attributes.group_to_assign_roles_to")[index])
            yield Event(index, at_ns, GRANT, to, verb=ADMIN, by=user, roles=given, groups=(group,) if group else ())
        elif action in _ROLES:
            name = _text(_column(rows, "attributes.roleName")[index])
            yield Event(index, at_ns, _ROLES[action], user, _granted(permissions[index]), ADMIN, roles=(name,))


def _outcomes(permissions: object, resource: object) -> list[tuple[re.Match[str], bool]]:
    """Return the resources that a line names and whether each was allowed; `resource` alone is what was refused."""
    if isinstance(permissions, list):
        items = [item for item in permissions if isinstance(item, dict)]
        named = [(_text(item.get("resource")), item.get("results") == "success") for item in items]
    else:
        named = [(one[1], one[2] == "success") for one in _OUTCOME.finditer(_text(permissions))]
    named.append((_text(resource), False))
    return [(match, allowed) for text, allowed in named if (match := _RESOURCE.match(text))]


def _old_outcomes(action: str, resources: str, *, allowed: bool) -> list[tuple[re.Match[str], bool]]:
    """Return what `_outcomes` does, of the first form of the audit trail: an action, and a resource without domain."""
    named = {"Collection": _ANY, "Tenant": _ANY} | dict(_PLAIN.findall(resources))
    domain = action.partition("_")[2] or "data"
    match = _RESOURCE.match(f"[Domain: {domain}, Collection: {named['Collection']}, Tenant: {named['Tenant']}]")
    return [(match, allowed)] if match else []


def _authorised(event: Event, permissions: object, asked: Sequence[object]) -> Event:
    """Return what a line says of a request: `permissions`, and the fields `_ASKED`.

    A refusal is about what was not allowed; what was allowed before it is only a hint, by the name of its collection.
    """
    body, action, resource, resources, results, address, client, groups = asked
    action, resources = _text(action), _text(resources)
    refused = body == "authorization denied" or results == "failed"
    outcomes = _outcomes(permissions, resource)
    if resources:
        outcomes = _old_outcomes(action, resources, allowed=not refused)
    about = [match for match, allowed in outcomes if not (refused and allowed)]
    verb = _WEAVIATE.get(_WORDS.get(action.partition("_")[0], action[:1]), ADMIN)
    if verb != READ and any(match[1] not in ("data", "collections") for match in about):
        verb = EXPORT if any(match[1] == "backups" for match in about) else ADMIN
    collections = _named(about, "data") or (refused and (_named(about, "collections") or _schemas(outcomes))) or ()
    tenant = next((match[3] for match in about if match[3] and match[3] != _ANY), "")
    event = event._replace(address=_text(address), client=_text(client), groups=_texts(groups), tenant=tenant)
    return event._replace(kind=DENIED if refused else ACCESS, verb=verb, collections=collections)


def _named(about: Iterable[re.Match[str]], domain: str) -> tuple[str, ...]:
    found = (match[2] for match in about if match[1] == domain)
    return tuple(dict.fromkeys(name for name in found if name and name != _ANY))


def _schemas(outcomes: list[tuple[re.Match[str], bool]]) -> tuple[str, ...]:
    return _named((match for match, _ in outcomes), "collections")


def _granted(permissions: object) -> tuple[str, ...]:
    if isinstance(permissions, str):
        return tuple(dict.fromkeys(_IN_ROLE.findall(permissions)))
    found: dict[str, None] = {}
    for item in permissions if isinstance(permissions, list) else ():
        data = item.get("data") if isinstance(item, dict) else None
        if isinstance(data, dict) and (name := _text(data.get("collection"))) and name != _ANY:
            found[name] = None
    return tuple(found)


def _reasons(rows: Rows) -> Iterator[Event]:
    if not rows.has("attributes.error"):
        return
    classes = _column(rows, "attributes.class_name")
    for index, error in enumerate(rows.texts("attributes.error")):
        if error is None or not (refused := _REFUSED.search(error[:4000])):
            continue
        named = _RESOURCE.search(error[:4000])
        collection = _text(classes[index]) or (named[2] if named and named[2] else "")
        yield Event(index, int(rows.times[index]), REASON, refused[1], (collection,) if collection else ())


def _canonical(rows: Rows) -> Iterator[Event]:
    own = _column(rows, "attributes.component")
    users = _column(rows, "attributes.user.id", "serviceName")
    names, operations = _column(rows, "attributes.db.collection.name"), _column(rows, _OPERATION)
    addresses, clients = _column(rows, "attributes.client.address"), _column(rows, _CLIENT)
    kinds, tenants = _column(rows, _KIND), _column(rows, "attributes.db.namespace")
    errors, targets, given = (_column(rows, name) for name in ("attributes.error", _TARGET, _ROLE))
    for index, result in enumerate(rows.values(_RESULT)):
        if result not in ("allowed", "denied") or own[index] == "RBAC" or not (user := _text(users[index])):
            continue
        name, operation = _text(names[index]), _text(operations[index]).lower()
        verb = next((verb for verb, words in _VERBS if any(word in operation for word in words)), READ)
        if kinds[index] == "backup" or (kinds[index] == "role" and verb != READ):
            verb = EXPORT if kinds[index] == "backup" else ADMIN
        kind = DENIED if result == "denied" else ACCESS
        collections = (name,) if name and name != _ANY else ()
        if kind == ACCESS and verb == ADMIN and operation != "delete" and (to := _text(targets[index])):
            roles = tuple(filter(None, [_text(given[index])]))
            yield Event(index, int(rows.times[index]), GRANT, to, collections, ADMIN, by=user, roles=roles)
            continue
        yield Event(
            index, int(rows.times[index]), kind, user, collections, verb, _text(addresses[index]),
            tenant=_text(tenants[index]), client=_text(clients[index]),
            explains=bool(_REFUSED.search(_text(errors[index])[:4000])),
        )  # fmt: skip


def _traced(rows: Rows) -> Iterator[Event]:
    """Yield the reads and writes of spans; of the failed ones those that were not permitted."""
    named = [rows.texts(name) for name in _COLLECTIONS if rows.has(name)]
    if not named:
        return
    people, keys, services = _column(rows, *_PEOPLE), _column(rows, *_KEYS), _column(rows, "serviceName")
    operations, tenants = _column(rows, _OPERATION), _column(rows, "attributes.tenant.id")
    failed = rows.numbers("status.code") == _ERROR
    reasons = [rows.texts(name) for name in ("attributes.error.type", "status.message") if rows.has(name)]
    for index in range(rows.count):
        name = next((found for column in named if (found := column[index])), "")
        who = _text(people[index]) or _text(keys[index]) or _text(services[index])
        if not name or not who:
            continue
        kind = ACCESS
        if failed[index]:
            if not any(_PERMISSION.search(reason[:2000]) for column in reasons if (reason := column[index])):
                continue
            kind = DENIED
        operation = _text(operations[index]).lower()
        verb = next((verb for verb, words in _VERBS if any(word in operation for word in words)), READ)
        yield Event(
            index, int(rows.times[index]), kind, who, (name,), verb, tenant=_text(tenants[index]), traced=True,
            personal=bool(_text(people[index])),
        )  # fmt: skip
