"""Who comes and asks: sessions with one or more turns, over the day."""

from __future__ import annotations

from itertools import accumulate
from typing import TYPE_CHECKING

from treering.testing.day.bank import Topic
from treering.testing.day.calls import Message, text_message
from treering.testing.day.clock import DAY_NS, Story
from treering.testing.day.request import Request
from treering.testing.day.world import OWN_TENANT, ROUTES, Route, User

if TYPE_CHECKING:
    from treering.testing.day.gateway import Gateway
    from treering.testing.day.platform import Platform
    from treering.testing.day.wording import Exchange

SESSIONS_A_DAY = 2900
_TICK_NS = 60_000_000_000
_MORE_TURNS = 0.46
_AT_LEAST = {
    Story.CRASH: ("people", 16),
    Story.LATENCY: ("support", 20),
    Story.PROVIDER: ("developer", 12),
    Story.DRIFT: ("support", 20),
    Story.INDEX: ("people", 12),
}
"""So many sessions of a route come during a story even on a short or quiet day, so that the story shows."""
_INVENTED = 0.88
"""Share of answers that are invented while the index is broken; the others admit that they found nothing."""


class Sessions:
    """Opens sessions at random, more of them when the platform is busy."""

    def __init__(self, platform: Platform, gateway: Gateway) -> None:
        """Begin with the day."""
        self._platform = platform
        self._gateway = gateway
        self._rng = platform.rng("sessions")
        self._routes = list(ROUTES.values())
        self._shares = list(accumulate(route.share for route in self._routes))
        outside = [user for tenant, users in platform.users.items() if tenant != OWN_TENANT for user in users]
        self._crowds = {True: platform.users[OWN_TENANT], False: outside}
        self._weights = {
            own: list(accumulate(1 / (1 + rank % 17) for rank in range(len(crowd))))
            for own, crowd in self._crowds.items()
        }
        platform.every(platform.clock.start_ns, _TICK_NS, self._arrivals)
        for story, (route, count) in _AT_LEAST.items():
            first, last = platform.clock.window(story)
            for _ in range(count if story in platform.clock.stories else 0):
                platform.schedule(self._rng.randrange(first, last), self._open, ROUTES[route])

    def _arrivals(self, at_ns: int) -> None:
        p = self._platform
        expected = SESSIONS_A_DAY * p.rate * _TICK_NS / DAY_NS * p.clock.load(at_ns)
        wait = self._rng.expovariate(1.0)
        while wait < expected:
            p.schedule(at_ns + int(wait / expected * _TICK_NS), self._open)
            wait += self._rng.expovariate(1.0)

    def _open(self, at_ns: int, route: Route | None = None) -> None:
        route = route or self._rng.choices(self._routes, cum_weights=self._shares)[0]
        own = route.name in ("people", "travel", "developer") or self._rng.random() < 0.1
        user = self._rng.choices(self._crowds[own], cum_weights=self._weights[own])[0]
        conversation = f"conv-{self._rng.getrandbits(40):010x}"
        self._turn(at_ns, user, route, conversation, [], None)

    def _turn(
        self, at_ns: int, user: User, route: Route, conversation: str, history: list[Message], topic: Topic | None
    ) -> None:
        p = self._platform
        if topic is None and route.name == "support" and self._rng.random() < 0.014:
            request = self._lookalike(user, route, conversation)
        else:
            exchange = p.writer.follow_up(route.name, topic) if topic else self._first(user, route)
            request = Request(
                user, route, conversation, exchange.question, exchange.answer, exchange.topic, p.trace_id(), [], history
            )
            self._find(at_ns, request, exchange)
        outcome = self._gateway.handle(at_ns, request)
        if outcome.status == 200 and self._rng.random() < _MORE_TURNS:
            asked = [text_message("user", request.question), text_message("assistant", outcome.text)]
            same = request.topic is not None and request.topic.lang == "en" and self._rng.random() < 0.55
            again = request.topic if same else None
            pause_ns = int(self._rng.lognormvariate(3.6, 0.6) * 1e9)
            p.schedule(outcome.end_ns + pause_ns, self._turn, user, route, conversation, [*history, *asked], again)

    def _first(self, user: User, route: Route) -> Exchange:
        return self._platform.writer.exchange("chat" if route.name == "agent" else route.name, user.lang)

    def _find(self, at_ns: int, request: Request, exchange: Exchange) -> None:
        """Fill in the documents that the question finds, and what is answered while the index is broken."""
        p, topic = self._platform, request.topic
        if topic is None:
            return
        broken = request.route.name == "people" and p.clock.during(Story.INDEX, at_ns)
        request.documents = p.writer.retrieved(request.route.name, topic, broken=broken)
        if not broken:
            return
        if topic.wrong and self._rng.random() < _INVENTED:
            request.story = Story.INDEX
            request.answer = p.writer.fill(topic.wrong, exchange.slots)
        else:
            request.answer = self._rng.choice(p.writer.bank.phrases.no_answer)

    def _lookalike(self, user: User, route: Route, conversation: str) -> Request:
        p = self._platform
        benign = self._rng.choice(p.writer.bank.attacks.benign)
        topic = next(t for t in p.writer.bank.topics["support"] if t.id == benign.topic)
        question = p.writer.fill(benign.text, p.writer.slots())
        documents = p.writer.retrieved(route.name, topic, broken=False)
        return Request(user, route, conversation, question, benign.answer, topic, p.trace_id(), documents)
