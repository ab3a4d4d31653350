"""Vector access on recordings nobody has seen: other names, other orders, other paths, other formats of the log."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

import pytest

from tests.detect.feeding import built, fold
from tests.detect.weaviate_recording import Recording
from treering.detect import vector_access
from treering.model.batch import batch
from treering.model.rows import Rows
from treering.parse.reader import Reader
from treering.parse.vector_access import enrich

if TYPE_CHECKING:
    from treering.model.finding import Finding

LENGTH_S = 170.0
MIDNIGHT_S = 1_795_478_400


def found(recording: Recording, size: int = 200, content: bytes | None = None) -> list[Finding]:
    """Return what is found when the lines come through the parser and the enricher, as in the store.

    `content` is the file, where it is not what the recording writes.
    """
    reader = Reader({"serviceName": "weaviate"}, now_ns=(MIDNIGHT_S + 86_400) * 10**9)
    records = reader.feed(recording.content() if content is None else content).records + reader.end().records
    detector = built(vector_access)
    parts = [records[start : start + size] for start in range(0, len(records), size)]
    made = [Rows(enrich(batch("logs", part, received_ns=0)), place * size) for place, part in enumerate(parts)]
    return fold(finding for rows in made for finding in detector.observe(rows))


def check(recording: Recording, findings: list[Finding], *, named: bool = True) -> None:
    """Check that all that was done is told with its user and collections in ten seconds, and nothing else."""
    told = {(finding.rule, finding.values("user")[0]): finding for finding in findings}
    assert len(told) == len(findings), [finding.title for finding in findings]
    assert set(told) == {(deed.rule, deed.user) for deed in recording.truth}
    for deed in recording.truth:
        finding = told[deed.rule, deed.user]
        noticed = finding.noticed_ns / 1e9 - MIDNIGHT_S - 3 * 3600
        assert deed.start_s - 2 <= noticed <= deed.end_s + 10, deed
        if named or deed.rule in ("foreign_collection_read", "dormant_principal", "granted_after_refusals"):
            assert set(finding.values("collection")) == deed.collections, deed


def drawn(seed: int, **form: Any) -> Recording:
    """Return a recording with all that is done on purpose, by whom and in what order chance says."""
    chance = random.Random(seed)
    recording = Recording(seed, **form)
    thief, dormant = chance.sample(recording.users, 2)
    foreign = [name for name in recording.collections if name != recording.own(thief)]
    probed = chance.sample(foreign, chance.choice((1, 2, 3)))
    wanted = probed[0]
    recording.normal(LENGTH_S, but=dormant, exact=thief, restart_s=chance.choice((0, 60)))
    start = chance.uniform(15, 60)
    recording.probe(start, thief, probed, chance.choice((0.05, 0.5, 2, 4)), chance.choice((8, 12, 20)))
    grant = start + 81 + chance.random() * 5
    recording.grant(grant, thief, f"r-{wanted.lower()}")
    recording.steal(grant + chance.choice((0.2, 3, 9)), thief, wanted, chance.choice((2, 8, 40)))
    both = chance.sample(recording.collections, chance.choice((1, 2, 3)))
    awake_s = chance.uniform(14, LENGTH_S - 5)
    recording.awake(awake_s, dormant, both)
    recording.delete(grant + chance.uniform(15, 20), thief, wanted)
    return recording


@pytest.mark.parametrize("seed", range(12))
def test_whoever_does_it_in_whatever_order(seed: int) -> None:
    recording = drawn(seed)
    check(recording, found(recording))


@pytest.mark.parametrize("seed", range(12, 16))
def test_a_log_of_plain_text_says_the_same(seed: int) -> None:
    recording = drawn(seed, text=True)
    check(recording, found(recording, 77))


@pytest.mark.parametrize("seed", range(16, 20))
def test_over_rest_and_grpc_refusals_name_nothing(seed: int) -> None:
    recording = drawn(seed, graphql=False, groups=True)
    check(recording, found(recording), named=False)


@pytest.mark.parametrize("seed", range(30, 34))
@pytest.mark.parametrize("trail", ["first", "later"])
def test_other_versions_write_other_fields(seed: int, trail: str) -> None:
    recording = drawn(seed, trail=trail)
    check(recording, found(recording))


@pytest.mark.parametrize("seed", range(38, 40))
def test_a_server_that_began_to_write_text_in_the_middle(seed: int) -> None:
    recording = drawn(seed)
    lines, others = (drawn(seed, text=text).content().splitlines(keepends=True) for text in (False, True))
    half = len(lines) // 2
    check(recording, found(recording, content=b"".join(lines[:half] + others[half:])))


@pytest.mark.parametrize("by_s", [-3.0, 40.0])
@pytest.mark.parametrize("seed", range(42, 44))
def test_a_clock_that_is_set_in_the_middle(seed: int, by_s: float) -> None:
    recording = drawn(seed)
    recording.jump(10, by_s)
    check(recording, found(recording))


@pytest.mark.parametrize("seed", range(46, 49))
def test_roles_that_an_admin_gives_and_widens_are_no_theft(seed: int) -> None:
    """Somebody errs once, asks the admin, gets a role and uses it; another gets one without having asked."""
    chance = random.Random(seed)
    recording = Recording(seed, trail=chance.choice(("first", "second", "later")))
    recording.normal(250)
    for user in recording.users[:3]:
        other = chance.choice([name for name in recording.collections if name != recording.own(user)])
        at = chance.uniform(30, 60)
        recording.refuse(at, user, other)
        recording.grant(at + 40, user, f"r-{other.lower()}", before=True)
        for number in range(20):
            recording.read(at + 45 + number * 7, user, other)
    assert found(recording) == []


@pytest.mark.parametrize("seed", range(52, 55))
def test_probing_that_takes_hours(seed: int) -> None:
    """One refusal in a quarter of an hour, over five collections that the key may not read, beside its usual work."""
    chance = random.Random(seed)
    recording = Recording(seed, graphql=True)
    thief, *others = recording.users
    foreign = [*(name for name in recording.collections if name != recording.own(thief)), "Salaries", "Wills"]
    for user in recording.users:
        for number in range(400):
            recording.read(2 + number * 50 + chance.random(), user, recording.own(user))
    for number, name in enumerate(chance.sample(foreign, 5)):
        recording.refuse(3_000 + number * 950 + chance.uniform(0, 60), thief, name)
    for user in others:
        recording.refuse(chance.uniform(100, 19_000), user, "Salaries")
    (finding,) = found(recording)
    assert (finding.rule, finding.values("user")) == ("refused_burst", (thief,))


@pytest.mark.parametrize("seed", range(20, 30))
def test_normal_use_says_nothing(seed: int) -> None:
    recording = Recording(seed, text=seed % 2 == 0, graphql=seed % 3 == 0)
    recording.normal(600, restart_s=300)
    assert found(recording) == []


def probed(seed: int = 7, **form: Any) -> tuple[Recording, str, str]:
    """Return a recording in which somebody is refused, who, and the collection."""
    recording = Recording(seed, **form)
    thief = recording.users[0]
    wanted = next(name for name in recording.collections if name != recording.own(thief))
    recording.normal(120, exact=thief)
    recording.probe(30, thief, [wanted])
    return recording, thief, wanted


def rules(findings: list[Finding]) -> dict[str, Finding]:
    return {finding.rule: finding for finding in findings}


def test_a_role_that_is_widened_for_its_holder() -> None:
    recording, thief, wanted = probed()
    recording.role(50, f"r-{recording.own(thief).lower()}", wanted, "add_permissions")
    recording.steal(60, thief, wanted)
    told = rules(found(recording))
    assert set(told) == {"refused_burst", "granted_after_refusals", "foreign_collection_read"}
    assert told["granted_after_refusals"].values("user") == (thief,)
    assert told["granted_after_refusals"].values("collection") == (wanted,)


def test_a_role_given_to_a_group_of_somebody_who_was_refused() -> None:
    recording, thief, wanted = probed(groups=True)
    recording.grant(50, thief, f"r-{wanted.lower()}", group=f"g-{thief}", before=True)
    recording.steal(60, thief, wanted)
    told = rules(found(recording))
    assert set(told) == {"refused_burst", "granted_after_refusals", "foreign_collection_read"}
    assert told["granted_after_refusals"].values("user") == (thief,)


def test_what_was_allowed_before_a_refusal_is_not_what_was_refused() -> None:
    """A request about two collections stops at the first that is refused; its line lists the one before."""
    recording, thief, wanted = probed(graphql=False)
    for number in range(8):
        own = [f"[Domain: data, Collection: {recording.own(thief)}, Tenant: *, Object: *]"]
        recording.authorise(40 + number * 0.1, thief, "C", own, refused=True)
    recording.grant(50, thief, f"r-{wanted.lower()}")
    told = rules(found(recording))
    assert told["refused_burst"].values("collection") == (wanted,)


def test_a_key_that_wakes_and_takes_all() -> None:
    recording = Recording(9)
    dormant = recording.users[3]
    recording.normal(120, but=dormant)
    recording.awake(60, dormant, [recording.collections[0]])
    recording.steal(61, dormant, recording.collections[0], 40, 0.05)
    check(recording, found(recording))


def test_who_is_refused_in_many_collections_through_a_day() -> None:
    recording = Recording(11)
    curious, careless = recording.users[:2]
    for number in range(200):
        recording.read(number * 300, curious, recording.own(curious))
        recording.read(number * 300, careless, recording.own(careless))
    for number, name in enumerate(["Wills", "Salaries", "Tax", "Deeds", "Exams"]):
        recording.refuse(9_000 + number * 7_200, curious, name)
        recording.refuse(9_100 + number * 7_200, careless, "Wills")
    (finding,) = found(recording)
    assert (finding.rule, finding.values("user")) == ("refused_burst", (curious,))
    assert set(finding.values("collection")) == {"Wills", "Salaries", "Tax", "Deeds", "Exams"}


def test_deletions_that_are_refused_one_after_the_other_are_one() -> None:
    recording, thief, wanted = probed()
    for number in range(3):
        recording.authorise(60 + number, thief, "D", [], refused=True)
    changes = [finding for finding in found(recording) if finding.rule == "forbidden_change"]
    assert [(finding.values("collection"), finding.count) for finding in changes] == [((wanted,), 3)]
