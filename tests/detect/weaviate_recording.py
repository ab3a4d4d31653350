"""Recordings of Weaviate's own log, written by a script with chance in it: normal use, what is done on purpose, truth.

Lines have the form that Weaviate 1.35 writes: JSON, or logrus's text with `LOG_FORMAT=text`, times in whole seconds;
or that of the first audit trail, or of a later one (usecases/auth/authorization/rbac/authorizer.go).
"""

from __future__ import annotations

import json
import random
from typing import Any, Literal, NamedTuple

BASE_S = 1_795_480_000
_BUILD = {"build_git_commit": "", "build_go_version": "go1.26.8", "build_image_tag": "", "build_wv_version": "1.35.2"}
_SUBJECTS = ("Invoices", "Patients", "Tickets", "Claims", "Recipes", "Board", "Wages", "Patents")
_WORDS = {"R": "read", "C": "create", "U": "update", "D": "delete"}
_WHO = ("atlas-bot", "clerk", "oidc:mara@example.org", "svc_claims", "front-desk", "research", "nightly", "temp-4")


class Deed(NamedTuple):
    """What was done on purpose: the rule that should tell it, by whom, from when to when, with which collections."""

    rule: str
    user: str
    start_s: float
    end_s: float
    collections: frozenset[str]


class Recording:
    """Some minutes of a server: lines by time, and the truth."""

    def __init__(
        self,
        seed: int,
        *,
        text: bool = False,
        graphql: bool = True,
        groups: bool = False,
        trail: Literal["first", "second", "later"] = "second",
    ) -> None:
        """Draw who there is and what belongs to whom; `graphql` refusals have a second line that explains them."""
        self._chance = random.Random(seed)
        self._trail = trail
        self._set = 0.0, 0.0
        self._text, self._graphql, self._groups = text, graphql, groups
        self._lines: list[tuple[float, int, dict[str, Any]]] = []
        self.truth: list[Deed] = []
        self.collections = self._chance.sample(_SUBJECTS, 5)
        self.users = self._chance.sample(_WHO, 6)
        for name in self.collections:
            self.role(0, f"r-{name.lower()}", name)
        for user in self.users:
            self.grant(1, user, f"r-{self.own(user).lower()}", before=True)

    def own(self, user: str) -> str:
        """Return the collection that a user may read."""
        return self.collections[self.users.index(user) % len(self.collections)]

    def content(self) -> bytes:
        """Return the file."""
        ordered = sorted(self._lines, key=lambda line: line[:2])
        since_s, by_s = self._set
        return b"".join(self._written(at_s + by_s * (at_s >= since_s), fields) for at_s, _, fields in ordered)

    def _written(self, at_s: float, fields: dict[str, Any]) -> bytes:
        time = f"2026-11-24T{int(at_s) // 3600:02d}:{int(at_s) // 60 % 60:02d}:{int(at_s) % 60:02d}Z"
        if not self._text:
            return json.dumps({**_BUILD, **fields, "time": time}, separators=(",", ":")).encode() + b"\n"
        head = {"time": time, "level": fields["level"], **({"msg": fields["msg"]} if fields["msg"] else {})}
        rest = {name: value for name, value in {**_BUILD, **fields}.items() if name not in ("level", "msg")}
        return " ".join(f"{name}={_go(value)}" for name, value in (head | rest).items()).encode() + b"\n"

    def _add(self, at_s: float, level: str, msg: str, **fields: Any) -> None:
        self._lines.append((at_s + 3 * 3600, len(self._lines), {"level": level, "msg": msg, **fields}))

    def authorise(self, at_s: float, user: str, verb: str, resources: list[str], *, refused: bool = False) -> None:
        """Write a line of the audit trail; of a refusal `resources` are what was allowed before it."""
        permissions = [{"resource": one, "results": "success"} for one in resources]
        more: dict[str, Any] = {"groups": ["staff", f"g-{user}"]} if self._groups else {}
        if self._trail == "first":
            self._first(at_s, user, verb, resources, refused=refused)
            return
        if self._trail == "later":
            more |= {"audit_mode": "authorize", "client_identifier": f"client-of-{user}", "namespace": "acme"}
        self._add(
            at_s, "error" if refused else "info", "authorization denied" if refused else "", action="authorize",
            component="RBAC", permissions=permissions, rbac_log_version=2, request_action=verb,
            source_ip="10.0.0.7", user=user, **more,
        )  # fmt: skip

    def _first(self, at_s: float, user: str, verb: str, resources: list[str], *, refused: bool) -> None:
        """Write a line as the first audit trail had it: what was refused is named, at level info, without a domain."""
        shown = resources[0] if resources else ""
        domain = shown.partition("Domain: ")[2].partition(",")[0] or ("collections" if verb == "D" else "data")
        self._add(
            at_s, "info", "", action="authorize", component="RBAC", user=user,
            request_action=f"{_WORDS.get(verb[:1], 'manage')}_{domain}",
            resources=shown.replace(f"[Domain: {domain},", "").replace("]", ",") or " Tenant: *, Object: *,",
            results="failed" if refused else "success",
        )  # fmt: skip

    def jump(self, at_s: float, by_s: float) -> None:
        """Set the clock of the server by `by_s` seconds: all that is written from `at_s` on has other times."""
        at_s += 3 * 3600
        self._set = at_s, by_s
        self.truth = [
            deed._replace(start_s=deed.start_s + by_s, end_s=deed.end_s + by_s)
            if deed.start_s + 3 * 3600 >= at_s
            else deed
            for deed in self.truth
        ]

    def role(self, at_s: float, name: str, collection: str, action: str = "create_role") -> None:
        """Make a role that reads a collection, or widen it by `add_permissions`."""
        held = [{"action": "read_data", "data": {"collection": collection, "object": "*", "tenant": "*"}}]
        self.authorise(at_s, "root", "C_ALL", [f"[Domain: roles, Role: {name}]"])
        self._add(
            at_s, "info", "role created", action=action, component="RBAC", permissions=held, roleName=name, user="root"
        )

    def grant(self, at_s: float, user: str, role: str, *, group: str = "", before: bool = False) -> None:
        """Give a role to a user or a group; `before` says that this is no news."""
        self.authorise(at_s, "root", "A", [f"[Domain: users, User: {user}]"])
        to = {"group_to_assign_roles_to": group} if group else {"user_to_assign_roles_to": user}
        self._add(
            at_s, "info", "roles assigned to user", action="assign_roles", component="RBAC", roles=[role], user="root",
            **to,
        )  # fmt: skip
        if not before:
            name = next(one for one in self.collections if one.lower() == role.removeprefix("r-"))
            self.truth.append(Deed("granted_after_refusals", user, at_s, at_s, frozenset({name})))

    def read(self, at_s: float, user: str, collection: str) -> None:
        """Let a query through."""
        self.authorise(at_s, user, "R", ["[Domain: collections, Collection: *]"])
        self.authorise(at_s, user, "R", [f"[Domain: data, Collection: {collection}, Tenant: *, Object: *]"])

    def refuse(self, at_s: float, user: str, collection: str) -> None:
        """Refuse a query, with the line that explains it where it came over GraphQL."""
        self.authorise(at_s, user, "R", [], refused=True)
        if self._graphql:
            resource = f"[[Domain: data, Collection: {collection}, Tenant: *, Object: *]]"
            error = f"rbac: authorization, forbidden action: user '{user}' has insufficient permissions to read_data"
            self._add(
                at_s, "error", "unexpected error", action="requests_total", api="graphql", class_name=collection,
                error=f"{error} {resource}", query_type="Get",
            )  # fmt: skip

    def normal(self, seconds: float, *, but: str = "", exact: str = "", restart_s: float = 0) -> None:
        """Let all but one key read what is theirs, some err now and then (not who is `exact`), and a job write."""
        for user in self.users:
            if user != but:
                at = 1.5 + self._chance.random()
                while at < seconds:
                    self.read(at, user, self.own(user))
                    at += self._chance.expovariate(2.5)
        for user in self._chance.sample([one for one in self.users if one not in (but, exact)], 3):
            other = self._chance.choice([name for name in self.collections if name != self.own(user)])
            self.refuse(self._chance.uniform(5, seconds), user, other)
        for number in range(int(seconds)):
            name = self._chance.choice(self.collections)
            resource = [f"[Domain: data, Collection: {name}, Tenant: *, Object: *]"]
            self.authorise(number + 1.5, "ingest-job", "U", resource)
            self.authorise(number + 1.5, "ingest-job", "C", resource)
        if restart_s:
            self._add(restart_s, "info", "auto schema enabled setting is set to", action="startup")

    def probe(self, at_s: float, user: str, collections: list[str], every_s: float = 0.05, attempts: int = 12) -> None:
        """Ask for what is not one's own, again and again."""
        for number in range(attempts):
            self.refuse(at_s + number * every_s, user, collections[number % len(collections)])
        self.truth.append(Deed("refused_burst", user, at_s, at_s + attempts * every_s, frozenset(collections)))

    def steal(self, at_s: float, user: str, collection: str, pages: int = 8, every_s: float = 0.1) -> None:
        """Read a collection page by page."""
        for number in range(pages):
            self.read(at_s + number * every_s, user, collection)
        self.truth.append(Deed("foreign_collection_read", user, at_s, at_s + pages * every_s, frozenset({collection})))

    def awake(self, at_s: float, user: str, collections: list[str]) -> None:
        """Let a key speak that never did."""
        for number in range(6):
            self.read(at_s + number * 0.1, user, collections[number % len(collections)])
        self.truth.append(Deed("dormant_principal", user, at_s, at_s + 1, frozenset(collections)))

    def delete(self, at_s: float, user: str, collection: str) -> None:
        """Refuse the deletion of a collection, which the line does not name."""
        self.authorise(at_s, user, "D", [], refused=True)
        self.truth.append(Deed("forbidden_change", user, at_s, at_s, frozenset({collection})))


def _go(value: Any) -> str:
    """Return a value as Go prints it in a line of text."""
    shown = f"[{' '.join(map(_bare, value))}]" if isinstance(value, list) else str(value)
    return f'"{shown}"' if any(mark in shown for mark in " []:=") else shown


def _bare(value: Any) -> str:
    if isinstance(value, dict):
        return f"map[{' '.join(f'{name}:{_bare(part)}' for name, part in sorted(value.items()))}]"
    return str(value)
