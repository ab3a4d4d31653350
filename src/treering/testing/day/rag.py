"""The RAG service: embeds the question, searches the vector database, asks a model. Sends its spans over OTLP/gRPC."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from treering.testing.day import provider, world
from treering.testing.day.bank import COLLECTIONS
from treering.testing.day.calls import Call, ProviderError, chat_attributes, text_message, timed
from treering.testing.day.clock import Story
from treering.testing.day.otlp import CLIENT, INTERNAL, SERVER, Value
from treering.testing.day.request import Outcome, Request
from treering.testing.day.wording import Document, tokens

if TYPE_CHECKING:
    from treering.testing.day.inference import Ollama, Vllm
    from treering.testing.day.platform import Platform
    from treering.testing.day.weaviate import Weaviate

MS = 1_000_000
_PAUSES_S = (0.5, 1.2, 2.6)
_TRACE = (
    'Traceback (most recent call last):\n  File "/app/rag/service.py", line 214, in answer\n'
    '    passages = self.merge(hits, limit=settings.passages)\n  File "/app/rag/merge.py", line 58, in merge\n'
    "    seen[hit.properties['source_id']].append(hit)\nKeyError: 'source_id'"
)


class Rag:
    """Answers questions from documents."""

    def __init__(self, platform: Platform, weaviate: Weaviate, servers: tuple[Vllm, Ollama]) -> None:
        """Search in `weaviate`; `servers` write their own logs when their models are called."""
        self._platform = platform
        self._weaviate = weaviate
        self._vllm, self._ollama = servers
        self._rng = platform.rng("rag")

    def answer(self, at_ns: int, request: Request, parent: bytes) -> Outcome:
        """Work on `request` from `at_ns` on, as a child of the span `parent`."""
        p, rng = self._platform, self._rng
        root = p.span_id()
        found_ns = self._retrieve(at_ns + int(rng.uniform(1, 4) * MS), request, root)
        if request.story is None and rng.random() < 0.0012:
            return self._crash(at_ns, found_ns, request, root, parent)
        if request.route.name == "support" and p.clock.during(Story.LATENCY, at_ns):
            found_ns = self._rerank(found_ns, request, root)
        outcome = self.complete(found_ns, request, root, world.RAG)
        end_ns = outcome.end_ns + int(rng.uniform(1, 3) * MS)
        attributes: dict[str, Value] = {
            "http.request.method": "POST",
            "url.path": "/answer",
            "http.route": "/answer",
            "http.response.status_code": outcome.status,
            "app.route": request.route.name,
            "tenant.id": request.user.tenant,
            "user.id": request.user.id,
            "session.id": request.conversation,
        }
        error = outcome.text if outcome.status >= 500 else ""
        p.span(world.RAG, (request.trace, root, parent), "POST /answer", SERVER, (at_ns, end_ns), attributes, error)
        self._log(end_ns, request, root, outcome)
        outcome.end_ns = end_ns
        return outcome

    def complete(self, at_ns: int, request: Request, parent: bytes, service: str) -> Outcome:
        """Ask the model of the route, with up to three retries; also used by the gateway for small talk."""
        p, model = self._platform, self.model(request, at_ns)
        for attempt in range(len(_PAUSES_S) + 1):
            failed = provider.failure(model, at_ns, p.clock, self._vllm.down, self._rng)
            if failed is None:
                return self._succeed(at_ns, request, parent, service, model)
            error, story = failed
            end_ns, span = self._fail(at_ns, request, parent, service, (model, error, attempt))
            if story:
                p.show_span(story, service, (request.trace, span), model=model.name, route=request.route.name)
            if attempt < len(_PAUSES_S):
                at_ns = end_ns + int(_PAUSES_S[attempt] * self._rng.uniform(0.8, 1.3) * 1e9)
        status = 503 if error.status == 503 else 502
        return Outcome(end_ns, status, f"{error.type}: {error.message[:80]}", span, model.name, good=False)

    def model(self, request: Request, at_ns: int) -> world.Model:
        """Return the model that the route uses at `at_ns`."""
        swapped = request.route.name == "support" and self._platform.clock.during(Story.DRIFT, at_ns)
        return world.MODELS[world.SWAPPED_MODEL if swapped else request.route.model]

    def _retrieve(self, at_ns: int, request: Request, parent: bytes) -> int:
        p, collection, outer = self._platform, COLLECTIONS[request.route.name], self._platform.span_id()
        searched_ns = self._search(self._embed(at_ns, request, outer), request, outer)
        end_ns = searched_ns + int(self._rng.uniform(1, 5) * MS)
        attributes: dict[str, Value] = {
            "gen_ai.operation.name": "retrieval",
            "gen_ai.data_source.id": collection,
            "gen_ai.retrieval.query.text": request.question,
            "gen_ai.retrieval.top_k": 4,
            "gen_ai.retrieval.documents": _documents(request.documents),
            "tenant.id": request.user.tenant,
            "user.id": request.user.id,
        }
        ids = (request.trace, outer, parent)
        p.span(world.RAG, ids, f"retrieval {collection}", INTERNAL, (at_ns, end_ns), attributes)
        if request.story is Story.POISON:
            p.show_span(Story.POISON, world.RAG, ids[:2], trace=request.trace.hex())
        return end_ns

    def _embed(self, at_ns: int, request: Request, parent: bytes) -> int:
        p, model = self._platform, "text-embedding-3-small"
        end_ns = at_ns + int(self._rng.lognormvariate(4.0, 0.35) * MS)
        attributes: dict[str, Value] = {
            "gen_ai.operation.name": "embeddings",
            "gen_ai.provider.name": "openai",
            "gen_ai.request.model": model,
            "gen_ai.embeddings.dimension.count": 1536,
            "gen_ai.usage.input_tokens": tokens(request.question),
            "server.address": "api.openai.com",
        }
        ids = (request.trace, p.span_id(), parent)
        p.span(world.RAG, ids, f"embeddings {model}", CLIENT, (at_ns, end_ns), attributes)
        return end_ns

    def _search(self, at_ns: int, request: Request, parent: bytes) -> int:
        p, collection = self._platform, COLLECTIONS[request.route.name]
        end_ns = at_ns + int(self._rng.lognormvariate(2.5, 0.5) * MS)
        attributes: dict[str, Value] = {
            "db.system.name": "weaviate",
            "db.operation.name": "hybrid",
            "db.collection.name": collection,
            "db.vector.query.top_k": 4,
            "db.response.returned_rows": len(request.documents),
            "server.address": "vec-01",
            "server.port": 50051,
        }
        ids = (request.trace, p.span_id(), parent)
        p.span(world.RAG, ids, f"hybrid {collection}", CLIENT, (at_ns, end_ns), attributes)
        self._weaviate.search(at_ns, f"{request.route.name}-bot", collection, end_ns - at_ns)
        return end_ns

    def _rerank(self, at_ns: int, request: Request, parent: bytes) -> int:
        p, span = self._platform, self._platform.span_id()
        end_ns = at_ns + int(self._rng.lognormvariate(1.35, 0.35) * 1e9)
        attributes: dict[str, Value] = {
            "app.rerank.model": "cross-encoder/ms-marco-MiniLM-L-6-v2",
            "app.rerank.device": "cpu",
        }
        ids = (request.trace, span, parent)
        p.span(world.RAG, ids, "rerank cross-encoder", INTERNAL, (at_ns, end_ns), attributes)
        p.show_span(Story.LATENCY, world.RAG, (request.trace, span), route=request.route.name, version="2.9.0")
        return end_ns

    def _succeed(self, at_ns: int, request: Request, parent: bytes, service: str, model: world.Model) -> Outcome:
        p, rng, span = self._platform, self._rng, self._platform.span_id()
        call = self._call(request, model)
        swapped = model.name == world.SWAPPED_MODEL
        if swapped and request.topic and request.story is None:
            call.output = text_message("assistant", p.writer.swapped(request.answer, request.topic))
        timed(call, rng)
        end_ns = at_ns + int(call.duration_s * 1e9)
        response = f"chatcmpl-{rng.getrandbits(96):024x}"
        attributes = chat_attributes(call, request.user, request.conversation, response)
        ids = (request.trace, span, parent)
        p.span(service, ids, f"chat {model.name}", CLIENT, (at_ns, end_ns), attributes)
        if model.provider == "vllm":
            self._vllm.serve((at_ns, end_ns), response, call.input_tokens, call.output_tokens)
        elif model.provider == "ollama":
            self._ollama.serve(at_ns, end_ns)
        if swapped:
            p.show_span(Story.DRIFT, service, ids[:2], route="support", model=model.name)
        followed = request.story is Story.POISON and "](" in request.answer
        if request.story in (Story.INDEX, Story.DIRECT) or followed:
            p.show_span(
                request.story or Story.POISON, service, ids[:2], user=request.user.id, trace=request.trace.hex()
            )
        good = request.story is not Story.INDEX
        return Outcome(end_ns, 200, call.output["parts"][0]["content"], span, model.name, good)

    def _call(self, request: Request, model: world.Model) -> Call:
        system = self._platform.writer.bank.phrases.system[request.route.name]
        question = request.question
        if request.documents:
            passages = "\n".join(
                f'<document id="{d.id}" title="{d.title}">{d.text}</document>' for d in request.documents
            )
            question = f"{passages}\n\nQuestion: {request.question}"
        messages = [*request.history[-4:], text_message("user", question)]
        return Call(model, system, messages, text_message("assistant", request.answer))

    def _fail(
        self, at_ns: int, request: Request, parent: bytes, service: str, what: tuple[world.Model, ProviderError, int]
    ) -> tuple[int, bytes]:
        p, rng, (model, error, attempt) = self._platform, self._rng, what
        span = p.span_id()
        took_s = 30.0 if error.status == 504 else rng.lognormvariate(-1.6, 0.5)
        end_ns = at_ns + int(took_s * 1e9)
        call = self._call(request, model)
        call.extra = {"error.type": error.type, "http.response.status_code": error.status}
        attributes = chat_attributes(call, request.user, request.conversation, "")
        ids, exception = (request.trace, span, parent), (error.type, error.message)
        p.span(service, ids, f"chat {model.name}", CLIENT, (at_ns, end_ns), attributes, error.message, exception)
        last = attempt == len(_PAUSES_S)
        text = "giving up" if last else f"retrying in {_PAUSES_S[attempt]} s"
        body = f"model call failed, {text}: {model.provider}/{model.name} attempt={attempt + 1} status={error.status}"
        facts = {"error.type": error.type, "attempt": attempt + 1, "app.route": request.route.name}
        p.document(service, end_ns, "ERROR" if last else "WARN", body, facts, (request.trace, span))
        return end_ns, span

    def _crash(self, at_ns: int, end_ns: int, request: Request, root: bytes, parent: bytes) -> Outcome:
        p = self._platform
        attributes: dict[str, Value] = {"http.request.method": "POST", "url.path": "/answer", "error.type": "KeyError"}
        attributes |= {"http.response.status_code": 500, "app.route": request.route.name}
        ids, exception = (request.trace, root, parent), ("KeyError", "'source_id'")
        p.span(world.RAG, ids, "POST /answer", SERVER, (at_ns, end_ns), attributes, "'source_id'", exception)
        p.document(world.RAG, end_ns, "ERROR", "unhandled exception\n" + _TRACE, None, (request.trace, root))
        return Outcome(end_ns, 500, "internal error", root, good=False)

    def _log(self, at_ns: int, request: Request, root: bytes, outcome: Outcome) -> None:
        best = request.documents[0]
        body = (
            f"answered route={request.route.name} documents={len(request.documents)} best={best.id}"
            f" score={best.score:.3f} chars={len(outcome.text)} status={outcome.status}"
        )
        severity = "ERROR" if outcome.status >= 500 else "WARN" if best.score < 0.5 else "INFO"
        facts = {"tenant.id": request.user.tenant, "session.id": request.conversation, "app.top_score": best.score}
        self._platform.document(world.RAG, at_ns, severity, body, facts, (request.trace, root))


def _documents(documents: list[Document]) -> str:
    found = [{"id": d.id, "score": d.score, "title": d.title, "content": d.text} for d in documents]
    return json.dumps(found, ensure_ascii=False)
