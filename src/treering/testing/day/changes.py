"""What people change on the day: rollouts, a model route, an index; and the reading of a foreign collection."""

from __future__ import annotations

from typing import TYPE_CHECKING

from treering.testing.day.clock import HOUR_NS, Story
from treering.testing.day.world import ATTACKED_BY, GATEWAY, SUPPORT_MODEL, SWAPPED_MODEL, User

if TYPE_CHECKING:
    from treering.testing.day.gateway import Gateway
    from treering.testing.day.platform import Platform
    from treering.testing.day.weaviate import Weaviate

_WEAVIATE, _ACCESS = "weaviate/weaviate.log", "nginx/access.log"
_KEY, _ROLE, _COLLECTION = "vintra-connector", "r-corvanecontracts", "CorvaneContracts"
_THIEF = User(_KEY, ATTACKED_BY, "", "en", "198.51.100.199", "weaviate-client-python/4.17.0")
_HOME = "198.51.100.23"
_REFUSALS, _PAGES = 14, 46


class Changes:
    """Schedules deployments and configuration changes, those that hurt and those that don't."""

    def __init__(self, platform: Platform, weaviate: Weaviate, gateway: Gateway) -> None:
        """Write through the components that notice."""
        self._platform = platform
        self._weaviate = weaviate
        self._gateway = gateway
        self._rng = platform.rng("changes")
        clock = platform.clock
        first, last = clock.window(Story.LATENCY)
        self._say(first, "rollout finished service=rag-service version=2.9.0 previous=2.8.4 by=sami.dahl31")
        self._say(last, "rollback finished service=rag-service version=2.8.4 previous=2.9.0 by=oncall")
        self._say(clock.at(16.5), "rollout finished service=notifier version=3.4.1 previous=3.4.0 by=tara.novak8")
        self._say(clock.at(7.5), "rollout finished service=billing-api version=5.20.0 previous=5.19.2 by=ben.grant44")
        platform.truth.fact(Story.LATENCY, route="support", version="2.9.0", previous="2.8.4")
        self._swap(*clock.window(Story.DRIFT))
        self._rebuild(*clock.window(Story.INDEX))
        step = int(HOUR_NS * clock.pace)
        platform.every(clock.start_ns + step // 2, step // 2, self._connector)
        self._plan_theft(*clock.window(Story.THEFT))

    def _say(self, at_ns: int, body: str, service: str = "deployer") -> None:
        self._platform.schedule(at_ns, lambda now: self._platform.document(service, now, "INFO", body))

    def _swap(self, first_ns: int, last_ns: int) -> None:
        p = self._platform
        there = f"routes.yaml reloaded: route support model {SUPPORT_MODEL} -> {SWAPPED_MODEL}"
        back = f"routes.yaml reloaded: route support model {SWAPPED_MODEL} -> {SUPPORT_MODEL}"
        p.schedule(first_ns, lambda now: p.log(GATEWAY, now, "INFO", there, {"app.route": "support"}))
        p.schedule(last_ns, lambda now: p.log(GATEWAY, now, "INFO", back, {"app.route": "support"}))
        p.truth.fact(Story.DRIFT, route="support", before=SUPPORT_MODEL, after=SWAPPED_MODEL)

    def _rebuild(self, first_ns: int, last_ns: int) -> None:
        wrong, right = "multilingual-e5-large", "text-embedding-3-small"
        text = "index rebuild finished collection=PeopleHandbook embedding_model={} objects=412"
        for at_ns, model in ((first_ns, wrong), (last_ns, right)):
            self._say(at_ns, text.format(model), "ingest-worker")
            self._platform.schedule(at_ns - 20_000_000_000, self._weaviate.load, "PeopleHandbook", 42)
        facts = {"collection": "PeopleHandbook", "index_model": wrong, "query_model": right}
        self._platform.truth.fact(Story.INDEX, route="people", **facts)

    def _connector(self, at_ns: int) -> None:
        self._weaviate.search(at_ns, _KEY, "SupportArticles", 9_000_000, _HOME)

    def _plan_theft(self, first_ns: int, last_ns: int) -> None:
        p, length = self._platform, last_ns - first_ns
        for number in range(_REFUSALS):
            target = "PeopleHandbook" if number % 5 == 4 else _COLLECTION
            p.schedule(first_ns + int(length * (0.01 + 0.012 * number)), self._refused, target)
        p.schedule(first_ns + int(length * 0.3), self._rotate)
        p.schedule(first_ns + int(length * 0.34), self._grant)
        for number in range(_PAGES):
            p.schedule(first_ns + int(length * (0.38 + 0.013 * number)), self._read, number)
        p.truth.fact(Story.THEFT, refused=_REFUSALS, pages=_PAGES, owner="corvane", reader=ATTACKED_BY)

    def _refused(self, at_ns: int, collection: str) -> None:
        marker = self._weaviate.deny(at_ns, _KEY, collection, _THIEF.ip)
        facts = {"principal": _KEY, "address": _THIEF.ip, "collection": collection}
        self._platform.show_line(Story.THEFT, _WEAVIATE, marker, **facts)
        self._gateway.access(at_ns, _THIEF, f"POST /v1/vectors/{collection}/search", 403, 212)

    def _rotate(self, at_ns: int) -> None:
        p = self._platform
        line = self._gateway.access(at_ns, _THIEF, "POST /v1/admin/keys/key_vn_17/rotate", 200, 348)
        p.show_line(Story.THEFT, _ACCESS, line, key="key_vn_17")
        body = f"api key rotated key=key_vn_17 tenant={ATTACKED_BY} by=ops.admin@marlstone.example from={_THIEF.ip}"
        facts = {"client.address": _THIEF.ip, "tenant.id": ATTACKED_BY, "key.id": "key_vn_17"}
        p.log(GATEWAY, at_ns + 3_000_000, "WARN", body, facts)

    def _grant(self, at_ns: int) -> None:
        marker = self._weaviate.assign(at_ns, "root-admin", _KEY, _ROLE, _THIEF.ip)
        self._platform.show_line(Story.THEFT, _WEAVIATE, marker, role=_ROLE, admin="root-admin")

    def _read(self, at_ns: int, page: int) -> None:
        marker = self._weaviate.search(at_ns, _KEY, _COLLECTION, 14_000_000, _THIEF.ip)
        self._platform.show_line(Story.THEFT, _WEAVIATE, marker)
        size = 88_000 + self._rng.randint(0, 30_000)
        self._gateway.access(at_ns, _THIEF, f"GET /v1/vectors/{_COLLECTION}/objects?limit=100&page={page}", 200, size)
