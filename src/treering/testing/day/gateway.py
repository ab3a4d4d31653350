"""The chat gateway behind nginx: server spans, logs and metrics over OTLP/HTTP, and nginx's own log files."""

from __future__ import annotations

from bisect import bisect_left
from typing import TYPE_CHECKING

from treering.testing.day import otlp, stamps
from treering.testing.day.clock import Story
from treering.testing.day.otlp import SERVER, Value
from treering.testing.day.request import Outcome, Request
from treering.testing.day.world import GATEWAY, User

if TYPE_CHECKING:
    from treering.testing.day.agents import Agents
    from treering.testing.day.platform import Platform
    from treering.testing.day.rag import Rag

ACCESS, ERRORS = "nginx/access.log", "nginx/error.log"
_S = stamps.SECOND_NS
_BOUNDS = (0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92)
_PROBES = (
    "/wp-login.php",
    "/.env",
    "/.git/config",
    "/admin/",
    "/phpmyadmin/",
    "/v1/models",
    "/robots.txt",
    "/api/tags",
)
_SCANNERS = ("Mozilla/5.0 zgrab/0.x", "python-requests/2.32.5", "curl/8.16.0", "Go-http-client/1.1")


class Gateway:
    """Takes requests, passes them on and writes down how they ended."""

    def __init__(self, platform: Platform, rag: Rag, agents: Agents) -> None:
        """Pass questions to `rag` and tasks to `agents`."""
        self._platform = platform
        self._rag = rag
        self._agents = agents
        self._rng = platform.rng("gateway")
        self._durations: dict[str, list[int]] = {}
        self._sums: dict[str, float] = {}
        start = platform.clock.start_ns
        platform.every(start + 120 * _S, 120 * _S, self._metrics)
        platform.every(start + 11 * _S, 60 * _S, self._health)
        platform.every(start + 41 * _S, 150 * _S, self._scan)

    def handle(self, at_ns: int, request: Request) -> Outcome:
        """Play `request` that arrives at `at_ns`; returns how it ended for the user."""
        p, rng = self._platform, self._rng
        span = p.span_id()
        inner_ns = at_ns + int(rng.uniform(1.5, 6) * 1e6)
        if request.story is None and rng.random() < 0.003:
            outcome = Outcome(inner_ns, 401, "invalid api key", good=False)
        elif request.route.name == "agent":
            outcome = self._agents.work(inner_ns, request, span)
        elif request.route.name == "chat":
            outcome = self._rag.complete(inner_ns, request, span, GATEWAY)
        else:
            outcome = self._rag.answer(inner_ns, request, span)
        outcome.end_ns += int(rng.uniform(1, 4) * 1e6)
        self._finish(at_ns, request, span, outcome)
        return outcome

    def access(self, at_ns: int, user: User, line: str, status: int, size: int) -> str:
        """Write an access line of nginx for the request line `line`; returns it."""
        referer = "https://app.marlstone.example/" if "Mozilla" in user.agent else "-"
        text = f'{user.ip} - - [{stamps.nginx(at_ns)}] "{line} HTTP/1.1" {status} {size} "{referer}" "{user.agent}"'
        self._platform.out.line(ACCESS, at_ns, text)
        return text

    def _finish(self, at_ns: int, request: Request, span: bytes, outcome: Outcome) -> None:
        p, route, user, end_ns = self._platform, request.route, request.user, outcome.end_ns
        attributes: dict[str, Value] = {
            "http.request.method": "POST",
            "url.path": route.path,
            "http.route": route.path,
            "http.response.status_code": outcome.status,
            "client.address": user.ip,
            "user_agent.original": user.agent,
            "user.id": user.id,
            "tenant.id": user.tenant,
            "session.id": request.conversation,
        }
        if outcome.model:
            attributes["app.model"] = outcome.model
        error = outcome.text if outcome.status >= 500 else ""
        ids = (request.trace, span, b"")
        p.span(GATEWAY, ids, f"POST {route.path}", SERVER, (at_ns, end_ns), attributes, error)
        took = (end_ns - at_ns) // 1_000_000
        body = f"POST {route.path} {outcome.status} in {took} ms tenant={user.tenant} user={user.id}"
        severity = "ERROR" if outcome.status >= 500 else "WARN" if outcome.status >= 400 else "INFO"
        facts: dict[str, Value] = {"http.response.status_code": outcome.status, "tenant.id": user.tenant}
        p.log(GATEWAY, end_ns, severity, body, facts, (request.trace, span))
        if request.note:
            p.log(GATEWAY, at_ns + 900_000, "WARN", f"{request.note} user={user.id} route={route.name}", facts, ids[:2])
        self.access(end_ns, user, f"POST {route.path}", outcome.status, 420 + len(outcome.text.encode()))
        if outcome.status in (502, 503):
            self._upstream_error(end_ns, request)
        self._feedback(end_ns, request, outcome)
        if outcome.model:
            self._count(outcome.model, (end_ns - at_ns) / 1e9)

    def _upstream_error(self, at_ns: int, request: Request) -> None:
        path, number = request.route.path, at_ns // 1_000_000 % 900_000
        text = (
            f"{stamps.nginx_error(at_ns)} [error] 29#29: *{number} upstream returned an error while reading response "
            f"header from upstream, client: {request.user.ip}, server: api.marlstone.example, request: "
            f'"POST {path} HTTP/1.1", upstream: "http://10.20.1.20:8080{path}", host: "api.marlstone.example"'
        )
        self._platform.out.line(ERRORS, at_ns, text)

    def _feedback(self, end_ns: int, request: Request, outcome: Outcome) -> None:
        if outcome.status != 200 or self._rng.random() > (0.05 if outcome.good else 0.3):
            return
        happy = self._rng.random() < (0.86 if outcome.good else 0.08)
        attributes: dict[str, Value] = {
            "gen_ai.evaluation.name": "user_feedback",
            "gen_ai.evaluation.score.value": 1.0 if happy else 0.0,
            "gen_ai.evaluation.score.label": "thumbs_up" if happy else "thumbs_down",
            "gen_ai.conversation.id": request.conversation,
            "user.id": request.user.id,
        }
        when = end_ns + int(self._rng.uniform(3, 40) * _S)
        ids = (request.trace, outcome.span)
        self._platform.log(GATEWAY, when, "INFO", "user feedback", attributes, ids, "gen_ai.evaluation.result")

    def _count(self, model: str, seconds: float) -> None:
        counts = self._durations.setdefault(model, [0] * (len(_BOUNDS) + 1))
        counts[bisect_left(_BOUNDS, seconds)] += 1
        self._sums[model] = self._sums.get(model, 0.0) + seconds

    def _metrics(self, at_ns: int) -> None:
        p = self._platform
        times = (p.clock.start_ns, at_ns)
        points = [
            otlp.histogram_point(
                {"gen_ai.operation.name": "chat", "gen_ai.request.model": model},
                times,
                counts,
                self._sums[model],
                _BOUNDS,
            )
            for model, counts in self._durations.items()
        ]
        if points:
            item = otlp.histogram("gen_ai.client.operation.duration", "s", points)
            p.out.proto("otlp_metrics", (GATEWAY, p.version(GATEWAY, at_ns)), at_ns, item, len(points))

    def _health(self, at_ns: int) -> None:
        line = f'10.20.1.9 - - [{stamps.nginx(at_ns)}] "GET /healthz HTTP/1.1" 200 2 "-" "kube-probe/1.34"'
        self._platform.out.line(ACCESS, at_ns, line)

    def _scan(self, at_ns: int) -> None:
        rng = self._rng
        address, path = f"192.0.2.{rng.randint(1, 254)}", rng.choice(_PROBES)
        line = f'{address} - - [{stamps.nginx(at_ns)}] "GET {path} HTTP/1.1" 404 153 "-" "{rng.choice(_SCANNERS)}"'
        if not self._platform.clock.during(Story.THEFT, at_ns):
            self._platform.out.line(ACCESS, at_ns + rng.randrange(_S), line)
