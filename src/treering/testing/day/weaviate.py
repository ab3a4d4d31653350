"""The vector database: Weaviate's JSON log with its RBAC lines and slow queries."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from treering.testing.day import stamps
from treering.testing.day.clock import HOUR_NS, Story

if TYPE_CHECKING:
    from treering.testing.day.platform import Platform

PATH = "weaviate/weaviate.log"
_BUILD = {
    "build_git_commit": "5f0048c",
    "build_go_version": "go1.25.5",
    "build_image_tag": "v1.35.2",
    "build_wv_version": "1.35.2",
}
_SHARDS = {
    "SupportArticles": "supportarticles_Qm2bXk81LzPd",
    "PeopleHandbook": "peoplehandbook_7TtYw0aVnC4e",
    "TravelPolicy": "travelpolicy_pR5uJf3SgH9x",
    "EngineeringDocs": "engineeringdocs_K1oDz6MvEb2q",
    "CorvaneContracts": "corvanecontracts_8hWyN4rGcA7s",
}
_ADDRESSES = {"ingest-job": "10.20.1.14", "analyst": "10.20.4.77", "root-admin": "10.20.1.2"}
_BOT_ADDRESS = "10.20.1.21"


class Weaviate:
    """Writes what the database would log."""

    def __init__(self, platform: Platform) -> None:
        """Schedule the jobs that come by themselves."""
        self._platform = platform
        self._rng = platform.rng("weaviate")
        clock = platform.clock
        step = int(HOUR_NS * clock.pace)
        platform.every(clock.start_ns + step // 3, step, self._nightly)
        platform.every(clock.start_ns + step // 5, step // 4, self._analyst)

    def search(self, at_ns: int, user: str, collection: str, took_ns: int, address: str = _BOT_ADDRESS) -> str:
        """Write a search that is allowed; returns a text that marks its line."""
        self.authorize(at_ns, user, "R", "[Domain: collections, Collection: *]", address)
        marker = self.authorize(at_ns + 400_000, user, "R", data_resource(collection), address)
        if self._rng.random() < 0.012:
            self._slow(at_ns + took_ns, collection, took_ns * self._rng.randint(40, 160))
        return marker

    def authorize(self, at_ns: int, user: str, action: str, resource: str, address: str = _BOT_ADDRESS) -> str:
        """Write an RBAC line of an allowed action (C, R, U, D, A); returns its end, which holds time and user."""
        return self._write(
            at_ns,
            "info",
            "",
            action="authorize",
            component="RBAC",
            permissions=[{"resource": resource, "results": "success"}],
            rbac_log_version=2,
            request_action=action,
            source_ip=address,
            user=user,
        )

    def deny(self, at_ns: int, user: str, collection: str, address: str) -> str:
        """Write a refusal: the RBAC line and the error of the query; returns the end of the first."""
        marker = self._write(
            at_ns,
            "error",
            "authorization denied",
            action="authorize",
            component="RBAC",
            permissions=[],
            rbac_log_version=2,
            request_action="R",
            source_ip=address,
            user=user,
        )
        error = f"rbac: authorization, forbidden action: user '{user}' has insufficient permissions to read_data"
        self._write(
            at_ns + 300_000,
            "error",
            "unexpected error",
            action="requests_total",
            api="graphql",
            class_name=collection,
            error=f"{error} [{data_resource(collection)}]",
            query_type="Get",
        )
        return marker

    def assign(self, at_ns: int, admin: str, user: str, role: str, address: str) -> str:
        """Write that `admin` gave `user` a role; returns the end of the line."""
        self.authorize(at_ns, admin, "A", f"[Domain: users, User: {user}]", address)
        return self._write(
            at_ns + 500_000,
            "info",
            "roles assigned to user",
            action="assign_roles",
            component="RBAC",
            roles=[role],
            user=admin,
            user_to_assign_roles_to=user,
        )

    def load(self, at_ns: int, collection: str, batches: int) -> None:
        """Write the batches of an index job, one line of each kind, a few hundred milliseconds apart."""
        for number in range(batches):
            when = at_ns + number * 350_000_000
            address = _ADDRESSES["ingest-job"]
            self.authorize(when, "ingest-job", "C", data_resource(collection), address)
            self.authorize(when + 900_000, "ingest-job", "U", data_resource(collection), address)

    def _nightly(self, at_ns: int) -> None:
        for collection in list(_SHARDS)[:4]:
            self.load(at_ns, collection, self._rng.randint(2, 6))
            at_ns += 4_000_000_000

    def _analyst(self, at_ns: int) -> None:
        if self._platform.clock.load(at_ns) < 0.8:
            return
        address = _ADDRESSES["analyst"]
        allowed = self._rng.choice(("SupportArticles", "EngineeringDocs"))
        self.search(at_ns, "analyst", allowed, 8_000_000, address)
        theft = self._platform.clock.during(Story.THEFT, at_ns)
        if self._rng.random() < 0.09 and not theft:
            self.deny(at_ns + 2_000_000_000, "analyst", "PeopleHandbook", address)

    def _slow(self, at_ns: int, collection: str, took_ns: int) -> None:
        objects_ns = took_ns * 7 // 10
        self._write(
            at_ns,
            "warning",
            f"Slow query detected ({took_ns // 1_000_000}ms)",
            collection=collection,
            filters=None,
            group_by=None,
            hnsw_flat_search=False,
            is_coordinator=True,
            limit=4,
            objects_took=objects_ns,
            objects_took_string=f"{objects_ns / 1e6:.6f}ms",
            query="ObjectVectorSearch",
            shard=_SHARDS[collection],
            sort=None,
            tenant="",
            took=took_ns,
            vector_search_took=took_ns - objects_ns,
            vector_search_took_string=f"{(took_ns - objects_ns) / 1e6:.6f}ms",
            version=2,
        )

    def _write(self, at_ns: int, level: str, message: str, **fields: Any) -> str:
        record = dict(sorted({**_BUILD, **fields, "level": level, "msg": message, "time": stamps.iso(at_ns)}.items()))
        line = json.dumps(record, separators=(",", ":"), ensure_ascii=False)
        self._platform.out.line(PATH, at_ns, line)
        return line[line.index('"time":') :]


def data_resource(collection: str) -> str:
    """Return the resource of a collection's objects as RBAC lines name it."""
    return f"[Domain: data, Collection: {collection}, Tenant: *, Object: *]"
