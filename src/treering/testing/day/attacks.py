"""The injection campaign: people who try it directly, and a planted document that one answer obeys."""

from __future__ import annotations

from typing import TYPE_CHECKING

from treering.testing.day.bank import Attack
from treering.testing.day.clock import Story
from treering.testing.day.emission import BULK
from treering.testing.day.request import Request
from treering.testing.day.truth import Evidence
from treering.testing.day.wording import Document
from treering.testing.day.world import ATTACKED_BY, ROUTES, User

if TYPE_CHECKING:
    from treering.testing.day.gateway import Gateway
    from treering.testing.day.platform import Platform

_ATTACKERS = (5, 11, 17)
_LEAKS = 2
_VISITS = 9
_WORKER = "ingest-worker"
AUTHOR = "ext-writer-7"


class Attacks:
    """Schedules both parts of the campaign."""

    def __init__(self, platform: Platform, gateway: Gateway) -> None:
        """Send the attempts through `gateway`."""
        self._platform = platform
        self._gateway = gateway
        self._rng = platform.rng("attacks")
        self._bank = platform.writer.bank.attacks
        self._plan_direct()
        self._plan_document()

    def _plan_direct(self) -> None:
        p, rng = self._platform, self._rng
        first, last = p.clock.window(Story.DIRECT)
        users = [p.users[ATTACKED_BY][number] for number in _ATTACKERS]
        attempts = rng.sample(self._bank.direct, len(self._bank.direct))
        leaks = set(rng.sample(range(len(attempts) // 2, len(attempts)), _LEAKS))
        for number, attack in enumerate(attempts):
            user = users[min(rng.randrange(5), 2)]
            conversation = f"conv-{user.id[2:]}a{number // 12}"
            at_ns = first + int((number + rng.uniform(0.05, 0.9)) / (len(attempts) + 1) * (last - first))
            p.schedule(at_ns, self._attempt, user, conversation, attack, number in leaks)
        p.truth.fact(Story.DIRECT, attempts=len(attempts), leaks=_LEAKS, tenant=ATTACKED_BY)

    def _attempt(self, at_ns: int, user: User, conversation: str, attack: Attack, leak: bool) -> None:
        p = self._platform
        topic = self._rng.choice(p.writer.bank.topics["support"])
        found = p.writer.retrieved("support", topic, broken=True)
        answer = self._bank.leak if leak else self._rng.choice(self._bank.refusals)
        question = p.writer.attack(attack.text)
        request = Request(user, ROUTES["support"], conversation, question, answer, None, p.trace_id(), found)
        request.story = Story.DIRECT
        request.note = self._bank.filter_note if self._rng.random() < 0.4 else ""
        p.truth.concern(Story.DIRECT, technique=attack.technique, conversation=conversation, address=user.ip)
        if leak:
            p.truth.concern(Story.DIRECT, leaked_in_trace=request.trace.hex())
        self._gateway.handle(at_ns, request)

    def _plan_document(self) -> None:
        p = self._platform
        first, last = p.clock.window(Story.POISON)
        p.schedule(first, self._plant)
        followed = self._rng.randrange(_VISITS // 2, _VISITS - 1)
        for number in range(_VISITS):
            share = 0.15 + 0.8 * (number + self._rng.uniform(0.1, 0.9)) / _VISITS
            p.schedule(first + int(share * (last - first)), self._visit, number == followed)
        p.schedule(last, self._remove)

    def _plant(self, at_ns: int) -> None:
        p, poison = self._platform, self._bank.poison
        address = p.users[ATTACKED_BY][_ATTACKERS[2]].ip
        where = f"collection=SupportArticles source=suggestion-form author={AUTHOR} from={address}"
        body = f"document indexed id={poison.id} {where}"
        p.document(
            _WORKER, at_ns, "INFO", body, {"document.id": poison.id, "user.id": AUTHOR, "client.address": address}
        )
        p.truth.show(
            Story.POISON,
            Evidence(BULK, marker=f"document indexed id={poison.id}"),
            document=poison.id,
            author=AUTHOR,
            address=address,
        )
        p.truth.fact(
            Story.POISON, related=Story.DIRECT.value, retrieved=_VISITS, followed=1, host="status-badge.example"
        )

    def _visit(self, at_ns: int, followed: bool) -> None:
        p, poison = self._platform, self._bank.poison
        others = [user for tenant in ("corvane", "ostberg") for user in p.users[tenant]]
        user, slots = self._rng.choice(others), p.writer.slots()
        question = p.writer.fill(self._rng.choice(poison.asks), slots)
        topic = next(t for t in p.writer.bank.topics["support"] if t.id == "export-timesheets")
        planted = Document(poison.id, poison.title, poison.text, round(self._rng.uniform(0.9, 0.95), 4))
        rest = [d._replace(score=round(d.score * 0.93, 4)) for d in p.writer.retrieved("support", topic, broken=False)]
        facts = slots | {"email": user.email, "workspace": user.tenant}
        answer = p.writer.fill(poison.followed, facts) if followed else poison.clean
        conversation = f"conv-{self._rng.getrandbits(40):010x}"
        request = Request(
            user, ROUTES["support"], conversation, question, answer, None, p.trace_id(), [planted, *rest[:3]]
        )
        request.story = Story.POISON
        if followed:
            p.truth.concern(Story.POISON, followed_in_trace=request.trace.hex(), victim=user.id)
        self._gateway.handle(at_ns, request)

    def _remove(self, at_ns: int) -> None:
        body = f"document removed id={self._bank.poison.id} collection=SupportArticles by=content-team"
        self._platform.document(_WORKER, at_ns, "INFO", body, {"document.id": self._bank.poison.id})
