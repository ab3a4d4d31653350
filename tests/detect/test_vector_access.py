"""Access to vector databases: the real recording to the line, the known day in time, and each rule by itself."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest

from tests.detect.feeding import START_NS, built, call, encode, feed, fold
from treering.detect import vector_access
from treering.model.batch import batch
from treering.model.finding import Finding
from treering.model.rows import Rows
from treering.model.times import rfc3339_ns
from treering.parse.reader import Reader
from treering.parse.vector_access import enrich
from treering.testing.detector_contract import detector as made

RULES = {
    "denied probing of other collections": "refused_burst",
    "role granted shortly after denied attempts": "granted_after_refusals",
    "whole collection read by a new reader": "foreign_collection_read",
    "dormant key awakes": "dormant_principal",
    "attempt to delete a collection": "forbidden_change",
}


def ns(text: str) -> int:
    found = rfc3339_ns(text)
    assert found is not None
    return found


def scan(records: list[dict[str, Any]], size: int) -> list[Finding]:
    detector = built(vector_access)
    parts = range(0, len(records), size)
    return fold(
        finding
        for start in parts
        for finding in detector.observe(Rows(batch("logs", records[start : start + size], received_ns=0), start))
    )


@pytest.mark.parametrize("size", [1, 37, 4000])
def test_the_recording_of_a_real_weaviate_to_the_line(shared: Path, size: int) -> None:
    folder = shared / "data" / "vector_access"
    reader = Reader({"serviceName": "weaviate"}, now_ns=ns("2026-11-24T04:00:00Z"))
    records = reader.feed((folder / "weaviate.jsonl").read_bytes()).records + reader.end().records
    found = {finding.rule: finding for finding in scan(records, size)}
    truth = json.loads((folder / "truth.json").read_text())
    assert set(found) == {RULES[line["what"]] for line in truth}
    for line in truth:
        finding = found[RULES[line["what"]]]
        assert finding.values("user") == (line["user"],)
        assert set(finding.values("collection")) == set(line.get("collections", [line.get("collection")]))
        assert finding.noticed_ns - ns(line["end"]) <= 10 * 10**9
        assert abs(finding.start_ns - ns(line["start"])) <= 10 * 10**9


def line(
    second: float, user: str, collection: str = "", verb: str = "R", *, refused: bool = False, **more: Any
) -> dict[str, Any]:
    resource = f"[Domain: data, Collection: {collection}, Tenant: *, Object: *]"
    attributes = {
        "component": "RBAC",
        "action": "authorize",
        "user": user,
        "request_action": verb,
        "permissions": [] if refused else [{"resource": resource, "results": "success"}],
        **more,
    }
    body = "authorization denied" if refused else ""
    return {
        "@timestamp": START_NS + int(second * 1e9),
        "body": body,
        "serviceName": "weaviate",
        "attributes": attributes,
    }


def assign(second: float, user: str, role: str) -> dict[str, Any]:
    attributes = {
        "component": "RBAC",
        "action": "assign_roles",
        "user": "root",
        "roles": [role],
        "user_to_assign_roles_to": user,
    }
    return {"@timestamp": START_NS + int(second * 1e9), "body": "roles assigned to user", "attributes": attributes}


def test_honest_refusals_are_nothing() -> None:
    busy = [line(n / 10, "bot", "Tickets", refused=n % 60 == 30) for n in range(1200)]
    assert feed(built(vector_access), busy, "logs") == []


def test_slow_refusals_are_a_burst_when_most_is_refused() -> None:
    lines = [line(60 * n, "bot", refused=True) for n in range(6)]
    (finding,) = feed(built(vector_access), lines, "logs", 1)
    assert finding.rule == "refused_burst"
    assert finding.noticed_ns == START_NS + 240 * 10**9


def test_a_role_without_refusals_before_is_nothing() -> None:
    lines = [assign(1, "bot", "reader"), *(line(n, "bot", "Tickets") for n in range(2, 60))]
    assert feed(built(vector_access), lines, "logs", 5) == []


def test_a_new_collection_read_in_bulk_by_somebody_known() -> None:
    usual = [line(n / 5, "bot", "Tickets") for n in range(400)]
    bulk = [line(100 + n / 20, "bot", "Salaries") for n in range(60)]
    (finding,) = feed(built(vector_access), [*usual, *bulk], "logs", 50)
    assert (finding.rule, finding.values("collection")) == ("foreign_collection_read", ("Salaries",))


def test_a_refused_deletion_learns_its_collection_later() -> None:
    lines = [line(1, "bot", verb="D", refused=True), *(line(5 + n, "bot", refused=True) for n in range(6))]
    reason = {
        "class_name": "Salaries",
        "error": "rbac: user 'bot' has insufficient permissions to read_data [[Domain: data]]",
    }
    lines += [
        {"@timestamp": START_NS + 10 * 10**9, "body": "unexpected error", "attributes": reason},
        line(60, "bot", "Salaries"),
    ]
    found = {finding.rule: finding for finding in feed(built(vector_access), lines, "logs", 1)}
    assert found["forbidden_change"].values("collection") == ("Salaries",)
    assert found["forbidden_change"].noticed_ns == START_NS + 10**9


def test_a_principal_that_was_silent_for_weeks() -> None:
    day = 86400
    lines = [line(n * day, "old-key", "Tickets") for n in range(3)]
    lines += [line(n * day + 5, "bot", "Tickets") for n in range(40)]
    lines = sorted([*lines, line(39 * day, "old-key", "Tickets")], key=lambda record: record["@timestamp"])
    (finding,) = feed(built(vector_access), lines, "logs", 10)
    assert (finding.rule, finding.values("user")) == ("dormant_principal", ("old-key",))


def test_canonical_fields_are_read_as_well() -> None:
    def record(second: float, result: str) -> dict[str, Any]:
        attributes = {
            "user.id": "svc-7",
            "db.collection.name": "invoices",
            "db.operation.name": "query",
            "treering.access.result": result,
            "client.address": "192.0.2.9",
        }
        return {"@timestamp": START_NS + int(second * 1e9), "body": "audit", "attributes": attributes}

    found = feed(built(vector_access), [*(record(n, "denied") for n in range(7)), record(30, "allowed")], "logs")
    assert {finding.rule for finding in found} == {"refused_burst", "foreign_collection_read"}
    assert all(finding.values("address") == ("192.0.2.9",) for finding in found)


def test_documents_of_another_tenant() -> None:
    def retrieval(tenant: str) -> dict[str, Any]:
        documents = encode([{"id": "d1", "score": 0.8, "metadata": {"tenant_id": tenant}}])
        return call(**{"gen_ai.retrieval.documents": documents, "tenant.id": "vintra"})

    (finding,) = feed(built(vector_access), [retrieval("vintra"), retrieval("corvane")])
    assert finding.rule == "cross_tenant_retrieval"
    assert set(finding.values("tenant")) == {"corvane", "vintra"}


HOUR = 3600.0


def about(findings: list[Finding], rule: str) -> list[Finding]:
    return [finding for finding in findings if finding.rule == rule]


def habits(**more: Any) -> list[dict[str, Any]]:
    """Return two hours of a bot that reads one collection from one address."""
    return [line(n * 40, "bot", "Tickets", source_ip="192.0.2.1", **more) for n in range(180)]


def test_an_address_beside_those_a_principal_kept_to() -> None:
    (finding,) = feed(built(vector_access), [*habits(), line(7300, "bot", "Tickets", source_ip="203.0.113.9")], "logs")
    assert (finding.rule, finding.values("address")) == ("new_address", ("203.0.113.9",))


def test_a_principal_with_many_addresses_has_no_habit_of_them() -> None:
    many = [line(n * 40, "bot", "Tickets", source_ip=f"192.0.2.{n % 20}") for n in range(200)]
    assert feed(built(vector_access), [*many, line(9000, "bot", "Tickets", source_ip="203.0.113.9")], "logs") == []


def test_a_collection_that_is_new_to_somebody_with_habits_and_then_read_slowly() -> None:
    once = [*habits(), line(7300, "bot", "Salaries")]
    assert feed(built(vector_access), once, "logs") == []
    slowly = [*habits(), *(line(7300 + 300 * n, "bot", "Salaries", source_ip="192.0.2.1") for n in range(30))]
    found = feed(built(vector_access), slowly, "logs", 10)
    assert {finding.rule for finding in found} == {"new_collection", "foreign_collection_read"}
    assert {finding.values("collection") for finding in found} == {("Salaries",)}


def test_hours_of_more_reading_than_ever() -> None:
    day = [line(n * 60, "bot", "Tickets") for n in range(30 * 60)]
    more = [line(30 * HOUR + n * 15, "bot", "Tickets") for n in range(5 * 240)]
    (finding,) = feed(built(vector_access), [*day, *more], "logs", 500)
    assert (finding.rule, finding.values("collection")) == ("slow_reading", ("Tickets",))
    assert feed(built(vector_access), [*day, *(line(30 * HOUR + n * 30, "bot", "Tickets") for n in range(600))]) == []


def test_the_first_backup_of_somebody_who_never_made_one() -> None:
    resource = "[Domain: backups, Collection: Tickets]"
    backup = line(7300, "bot", verb="C", source_ip="192.0.2.1")
    backup["attributes"]["permissions"] = [{"resource": resource, "results": "success"}]
    found = feed(built(vector_access), [*habits(), backup], "logs")
    assert [finding.rule for finding in found] == ["export"]
    refused = line(7300, "bot", verb="C", refused=True, source_ip="192.0.2.1")
    refused["attributes"]["permissions"] = [{"resource": resource, "results": ""}]
    assert "forbidden_change" in {finding.rule for finding in feed(built(vector_access), [refused], "logs")}


def test_a_tenant_beside_those_of_a_principal() -> None:
    def read(second: float, tenant: str) -> dict[str, Any]:
        record = line(second, "bot", "Tickets")
        resource = f"[Domain: data, Collection: Tickets, Tenant: {tenant}, Object: *]"
        record["attributes"]["permissions"] = [{"resource": resource, "results": "success"}]
        return record

    usual = [read(n * 40, "acme") for n in range(180)]
    (finding,) = feed(built(vector_access), [*usual, read(7300, "umbra")], "logs")
    assert (finding.rule, finding.values("tenant")) == ("new_tenant", ("umbra",))


def retrievals(user: str, documents: list[int], second: float = 0) -> list[dict[str, Any]]:
    parts = [documents[start : start + 4] for start in range(0, len(documents), 4)]
    return [
        call(
            user=user,
            second=second + 90 * number,
            **{
                "gen_ai.retrieval.documents": encode([{"id": f"d{one}", "score": 0.7} for one in part]),
                "gen_ai.data_source.id": "Handbook",
            },
        )
        for number, part in enumerate(parts)
    ]


def test_somebody_who_is_shown_new_documents_again_and_again() -> None:
    others = [r for n in range(8) for r in retrievals(f"u-{n}", [one % 24 for one in range(n, n + 60)])]
    scraper = retrievals("mallory", list(range(400)), 5)
    found = feed(built(vector_access), [*others, *scraper], "spans", 50)
    (finding,) = about(found, "scraping")
    assert (finding.values("user"), finding.values("collection")) == (("mallory",), ("Handbook",))
    diligent = retrievals("diligent", [one % 30 for one in range(400)], 5)
    assert about(feed(built(vector_access), [*others, *diligent], "spans", 50), "scraping") == []


def recording(shared: Path) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    folder = shared / "data" / "vector_access"
    reader = Reader({"serviceName": "weaviate"}, now_ns=ns("2026-11-24T04:00:00Z"))
    records = reader.feed((folder / "weaviate.jsonl").read_bytes()).records + reader.end().records
    return records, json.loads((folder / "truth.json").read_text())


def renamed(value: Any, names: dict[str, str]) -> Any:
    text = json.dumps(value)
    for old, new in names.items():
        text = text.replace(old, new)
    return json.loads(text)


NAMES = {
    "support-bot": "crm-connector", "old-intern": "exporter-2", "Payroll": "Ledger", "HrPolicies": "Minutes",
    "SupportTickets": "Orders", "hr-assistant": "board-helper", "r-payroll": "r-ledger", "r-hrpolicies": "r-minutes",
}  # fmt: skip


def check(found: list[Finding], truth: list[dict[str, Any]], shift_s: float = 0, stretch: float = 1) -> None:
    """Check that each line of the truth is found with user and collections, and nothing else."""
    by_rule = {finding.rule: finding for finding in found}
    assert set(by_rule) == {RULES[one["what"]] for one in truth}
    for one in truth:
        finding = by_rule[RULES[one["what"]]]
        assert finding.values("user") == (one["user"],)
        assert set(finding.values("collection")) == set(one.get("collections", [one.get("collection")]))
        assert finding.noticed_ns / 1e9 - at_s(one["end"], shift_s, stretch) <= 10 * max(1, stretch)


def at_s(text: str, shift_s: float, stretch: float) -> float:
    base = ns("2026-11-24T03:02:00Z") / 1e9
    return base + shift_s + (ns(text) / 1e9 - base) * stretch


def moved(records: list[dict[str, Any]], shift_s: float = 0, stretch: float = 1) -> list[dict[str, Any]]:
    base = ns("2026-11-24T03:02:00Z")
    found = []
    for place, record in enumerate(records):
        at = base + int(shift_s * 1e9) + int((record["@timestamp"] - base) * stretch) + place  # of a second, in order
        found.append({**record, "@timestamp": at})
    return found


@pytest.mark.parametrize(("shift_s", "stretch"), [(86_400 * 30.25, 1), (0, 3), (0, 0.5)])
def test_names_and_times_of_the_recording_may_be_others(shared: Path, shift_s: float, stretch: float) -> None:
    records, truth = recording(shared)
    records, truth = renamed(records, NAMES), renamed(truth, NAMES)
    check(scan(moved(records, shift_s, stretch), 100), truth, shift_s, stretch)


@pytest.mark.parametrize("seed", range(4))
def test_a_tenth_of_the_lines_may_be_missing(shared: Path, seed: int) -> None:
    records, truth = recording(shared)
    chance = random.Random(seed)
    rare = ("assign_roles", "create_role")
    kept = [
        one for one in records
        if chance.random() < 0.9 or one["attributes"].get("action") in rare
        or one["attributes"].get("request_action") == "D" or one["attributes"].get("user") == "old-intern"
    ]  # fmt: skip
    found = scan(kept, 50)
    assert {finding.rule for finding in found} == {RULES[one["what"]] for one in truth}
    assert {finding.values("user") for finding in found} == {(one["user"],) for one in truth}


def without(records: list[dict[str, Any]], truth: list[dict[str, Any]], *whats: str) -> list[dict[str, Any]]:
    """Return the records without those of what was done on purpose, `whats`."""
    kept = records
    for one in truth:
        if one["what"] in whats:
            kept = [record for record in kept if not _of(record, one)]
    return kept


def _of(record: dict[str, Any], one: dict[str, Any]) -> bool:
    second = 10**9
    if not ns(one["start"]) - second <= record["@timestamp"] <= ns(one["end"]) + second:
        return False
    attributes = record["attributes"]
    if one["user"] not in (attributes.get("user"), attributes.get("user_to_assign_roles_to")) and one[
        "user"
    ] not in str(attributes.get("error")):
        return False
    if one["what"] == "dormant key awakes":
        return True
    if one["what"] == "role granted shortly after denied attempts":
        return bool(attributes.get("action") == "assign_roles")
    if one["what"] == "whole collection read by a new reader":
        return one["collection"] in json.dumps(attributes.get("permissions"))
    wanted = "D" if "delete" in one["what"] else "R"
    denied = bool(record.get("body") == "authorization denied" and attributes.get("request_action") == wanted)
    return denied or "insufficient permissions" in str(attributes.get("error"))


@pytest.mark.parametrize("stretch", [1, 60])
def test_normal_use_is_silent(shared: Path, stretch: float) -> None:
    records, truth = recording(shared)
    normal = without(records, truth, *RULES)
    assert len(normal) < len(records) - 60
    assert scan(moved(normal, 0, stretch), 100) == []


@pytest.mark.parametrize("what", ["dormant key awakes", "attempt to delete a collection"])
def test_what_did_not_happen_is_not_told(shared: Path, what: str) -> None:
    records, truth = recording(shared)
    check(scan(without(records, truth, what), 100), [one for one in truth if one["what"] != what])


def test_another_order_of_what_happened(shared: Path) -> None:
    """The dormant key wakes first, before the grant and the reading."""
    records, truth = recording(shared)
    awakes = next(one for one in truth if one["what"] == "dormant key awakes")
    late = ns(awakes["start"]) - ns("2026-11-24T03:02:39Z")
    first = [{**one, "@timestamp": one["@timestamp"] - late} for one in records if _of(one, awakes)]
    rest = without(records, truth, "dormant key awakes")
    mixed = sorted([*first, *rest], key=lambda record: record["@timestamp"])
    found = scan(mixed, 40)
    assert {finding.rule for finding in found} == set(RULES.values())
    (awake,) = about(found, "dormant_principal")
    assert abs(awake.noticed_ns - ns("2026-11-24T03:02:39Z")) <= 10 * 10**9


def test_other_actors_do_it(shared: Path) -> None:
    """The attacker is the finance bot, which is refused at the tickets, and so on."""
    records, truth = recording(shared)
    names = {
        "support-bot": "\x00",
        "finance-copilot": "support-bot",
        "SupportTickets": "\x01",
        "Contracts": "SupportTickets",
    }
    names |= {"\x00": "finance-copilot", "\x01": "Contracts"}
    swap = {json.dumps(old)[1:-1]: json.dumps(new)[1:-1] for old, new in names.items()}
    check(scan(renamed(records, swap), 60), renamed(truth, swap))


def span(second: float, user: str, collection: str, *, refused: bool = False, **more: Any) -> dict[str, Any]:
    attributes = {"gen_ai.operation.name": "retrieval", "gen_ai.data_source.id": collection, "user.id": user, **more}
    status = {"code": 2, "message": "PERMISSION_DENIED: not allowed"} if refused else {"code": 0}
    return {
        "@timestamp": START_NS + int(second * 1e9),
        "serviceName": "rag",
        "status": status,
        "attributes": attributes,
    }


def watched(records: list[dict[str, Any]], stream: str = "spans", **settings: Any) -> list[Finding]:
    detector = made(vector_access, settings)
    return fold(detector.observe(Rows(batch(stream, records, received_ns=0), 0)))


ENTITLED: dict[str, Any] = {
    "entitlements": [
        {"principal": "hr-*", "collections": ["Hr*", "Public"], "verbs": ["read"]},
        {"principal": "*", "collections": ["Public"]},
        {"principal": "*", "collections": ["HrSalaries"], "effect": "deny"},
        {"principal": "north-*", "collections": ["Sales"], "tenants": ["north"]},
    ]
}


@pytest.mark.parametrize(
    ("user", "collection", "more", "why"),
    [
        ("hr-bot", "HrPolicies", {}, ""),
        ("sales-bot", "Public", {}, ""),
        ("sales-bot", "HrPolicies", {}, "no entitlement"),
        ("hr-bot", "HrSalaries", {}, "denied to"),
        ("hr-bot", "HrPolicies", {"db.operation.name": "delete"}, "no entitlement"),
        ("north-7", "Sales", {"tenant.id": "north"}, ""),
        ("north-7", "Sales", {"tenant.id": "south"}, "no entitlement"),
    ],
)
def test_declared_entitlements_hold_for_spans_and_audit_lines(
    user: str, collection: str, more: dict[str, Any], why: str
) -> None:
    found = watched([span(1, user, collection, **more)], **ENTITLED)
    assert [finding.rule for finding in found] == (["entitlement_mismatch"] if why else [])
    assert not why or why in found[0].facts["why"]
    if not more:
        audited = watched([line(1, user, collection)], "logs", **ENTITLED)
        assert [finding.rule for finding in audited] == [finding.rule for finding in found]


def test_what_is_not_declared_can_be_allowed() -> None:
    settings: dict[str, Any] = {**ENTITLED, "deny_by_default": False}
    assert watched([span(1, "sales-bot", "Contracts")], **settings) == []
    assert [f.rule for f in watched([span(1, "x", "HrSalaries")], **settings)] == ["entitlement_mismatch"]


def test_spans_tell_refusals_and_what_follows_them() -> None:
    probes = [span(n * 0.5, "u-1", "Payroll", refused=True) for n in range(8)]
    honest = [span(n * 60.0, f"u-{n}", "Payroll", refused=True) for n in range(5)]
    assert [f.rule for f in watched(probes)] == ["refused_burst"]
    assert watched(honest) == []
    rules = {f.rule: f for f in watched([*probes, span(60, "u-1", "Payroll"), span(61, "u-1", "Tickets")])}
    assert set(rules) == {"refused_burst", "foreign_collection_read"}
    assert rules["foreign_collection_read"].values("collection") == ("Payroll",)


def test_errors_of_other_kinds_are_no_refusals() -> None:
    broken = [span(n * 0.5, "u-1", "Payroll") | {"status": {"code": 2, "message": "timeout"}} for n in range(9)]
    assert watched(broken) == []


def test_somebody_who_returns_after_weeks_is_told_with_low_severity() -> None:
    (found,) = watched([span(0, "u-1", "Tickets"), span(20 * 86_400, "u-1", "Tickets")])
    assert (found.rule, found.severity.value) == ("dormant_principal", "low")


@pytest.mark.parametrize("roles", [True, False])
def test_refusals_that_name_no_collection_are_told_by_what_was_granted(shared: Path, roles: bool) -> None:
    """Over REST and gRPC a refusal has no second line with its collection; roles may be older than the log."""
    folder = shared / "data" / "vector_access"
    left_out = (b"requests_total",) if roles else (b"requests_total", b"create_role")
    lines = [
        one for one in (folder / "weaviate.jsonl").read_bytes().splitlines() if not any(w in one for w in left_out)
    ]
    reader = Reader({"serviceName": "weaviate"}, now_ns=ns("2026-11-24T04:00:00Z"))
    found = {f.rule: f for f in scan(reader.feed(b"\n".join(lines) + b"\n").records + reader.end().records, 100)}
    assert set(found) == set(RULES.values())
    assert {finding.values("user") for finding in found.values()} == {("support-bot",), ("old-intern",)}
    assert found["foreign_collection_read"].values("collection") == ("Payroll",)
    if roles:
        assert found["refused_burst"].values("collection") == ("Payroll",)
        assert found["refused_burst"].facts["collection_inferred"]


def test_a_refusal_and_the_line_that_explains_it_are_one(shared: Path) -> None:
    """As in the store, where both lines carry the canonical columns."""
    folder = shared / "data" / "vector_access"
    reader = Reader({"serviceName": "weaviate"}, now_ns=ns("2026-11-24T04:00:00Z"))
    records = reader.feed((folder / "weaviate.jsonl").read_bytes()).records + reader.end().records
    found = {
        finding.rule: finding
        for finding in fold(built(vector_access).observe(Rows(enrich(batch("logs", records, received_ns=0)), 0)))
    }
    assert set(found) == set(RULES.values())
    plain = {finding.rule: finding for finding in scan(records, len(records))}
    assert found["refused_burst"].count == plain["refused_burst"].count
    assert (
        found["refused_burst"].facts["refused"] == plain["refused_burst"].facts["refused"] >= 12
    )  # those of the attack; honest ones follow


def test_a_refused_deletion_of_the_one_collection_that_was_refused_before() -> None:
    usual = [line(n, "bot", "Tickets") for n in range(20)]
    reason = {
        "class_name": "Salaries",
        "error": "rbac: user 'bot' has insufficient permissions to read_data [[Domain: data]]",
    }
    probed = [line(25, "bot", refused=True), {"@timestamp": START_NS + 25 * 10**9, "body": "x", "attributes": reason}]
    deletion = line(30, "bot", verb="D", refused=True)
    (finding,) = feed(built(vector_access), [*usual, *probed, deletion], "logs", 5)
    assert (finding.rule, finding.values("collection")) == ("forbidden_change", ("Salaries",))
    assert finding.facts["collection_inferred"]
    (finding,) = feed(built(vector_access), [*usual, deletion], "logs", 5)
    assert finding.values("collection") == ("Tickets",)  # the only one that it reads
    two = [line(21, "bot", "Orders"), deletion]
    (finding,) = feed(built(vector_access), [*usual, *two], "logs", 5)
    assert finding.values("collection") == ()
