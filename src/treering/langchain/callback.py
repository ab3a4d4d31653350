"""`TreeringCallback`: LangChain's callbacks to spans."""

from __future__ import annotations

import functools
import logging
import time
from typing import TYPE_CHECKING, Any, TypeVar, cast

from langchain_core.callbacks import BaseCallbackHandler

from treering.client import Sender, shared
from treering.client.otlp import cut, text, to_json
from treering.langchain import messages as dialogue
from treering.langchain import models
from treering.langchain.runs import CLIENT, INTERNAL, Runs, span, who

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from uuid import UUID

    from langchain_core.documents import Document
    from langchain_core.messages import BaseMessage
    from langchain_core.outputs import LLMResult

    from treering.langchain.runs import Run

_log = logging.getLogger("treering.client")
_SCOPE = "treering.langchain"
_SCORES = ("score", "relevance_score", "_score", "similarity", "similarity_score", "distance", "_distance")
_IDS = ("id", "_id", "doc_id", "document_id", "chunk_id", "source")
_QUESTIONS = ("input", "question", "query", "messages")
F = TypeVar("F", bound="Callable[..., None]")


def _safely(method: F) -> F:
    """Return `method` with its own errors counted instead of raised into the program."""

    @functools.wraps(method)
    def guarded(self: TreeringCallback, *args: Any, **kwargs: Any) -> None:
        try:
            method(self, *args, **kwargs)
        except Exception:  # noqa: BLE001  the program comes first
            self.errors += 1
            if self.errors == 1:
                _log.warning("treering's callback failed; it goes on", exc_info=True)

    return cast("F", guarded)


class TreeringCallback(BaseCallbackHandler):
    """Sends what happens in chains, agents, tools, retrievers and models. One object serves any number of runs at once.

    `endpoint` and `token` default to `TREERING_ENDPOINT` and `TREERING_TOKEN`. Without `content` neither messages, nor
    documents, nor arguments and results of tools are sent. `errors` counts faults of the callback itself.
    """

    # In the caller's thread and order, also under asyncio: a method encodes what it was given and waits for nothing.
    run_inline = True

    def __init__(
        self,
        endpoint: str | None = None,
        *,
        token: str | None = None,
        service: str | None = None,
        content: bool = True,
        sender: Sender | None = None,
    ) -> None:
        """Send through `sender`, else through one for `endpoint`, `token` and `service`."""
        self.sender = sender or (Sender(endpoint, token=token, service=service) if service else shared(endpoint, token))
        self.content = content
        self.errors = 0
        self._runs = Runs()

    def flush(self, timeout_s: float = 5.0) -> bool:
        """Wait until what has happened so far is sent, at most `timeout_s` seconds; return whether it is."""
        return self.sender.flush(timeout_s)

    # Models

    @_safely
    def on_chat_model_start(
        self,
        serialized: dict[str, Any],
        messages: list[list[BaseMessage]],
        *,
        run_id: UUID,
        parent_run_id: UUID | None = None,
        metadata: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        """Begin a chat."""
        found = models.request(serialized, metadata or {}, kwargs)
        if self.content and messages:
            found |= _asked(messages[0])
        self._model("chat", run_id, parent_run_id, metadata or {}, found)

    @_safely
    def on_llm_start(
        self,
        serialized: dict[str, Any],
        prompts: list[str],
        *,
        run_id: UUID,
        parent_run_id: UUID | None = None,
        metadata: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        """Begin a completion."""
        found = models.request(serialized, metadata or {}, kwargs)
        if self.content and prompts:
            found["gen_ai.input.messages"] = to_json([dialogue.plain("user", prompts[0])])
        self._model("text_completion", run_id, parent_run_id, metadata or {}, found)

    def _model(
        self, operation: str, run_id: UUID, parent: UUID | None, metadata: Mapping[str, Any], found: dict[str, Any]
    ) -> None:
        name = f"{operation} {found.get('gen_ai.request.model') or ''}".strip()
        found = {"gen_ai.operation.name": operation, **found, **who(metadata), **_node(metadata)}
        self._runs.begin(run_id, parent, name, CLIENT, found)

    @_safely
    def on_llm_new_token(self, token: Any, *, run_id: UUID, **_: Any) -> None:  # noqa: ARG002  named by LangChain
        """Note when the first piece of an answer came."""
        self._first(run_id)

    @_safely
    def on_stream_event(self, event: Any, *, run_id: UUID, **_: Any) -> None:
        """Note the same where models stream events (`stream_events(version="v3")`)."""
        if isinstance(event, dict) and event.get("event") == "content-block-delta":
            self._first(run_id)

    def _first(self, run_id: UUID) -> None:
        run = self._runs.get(run_id)
        if run is not None and run.first_chunk_ns is None:
            run.first_chunk_ns = time.time_ns()
            run.attributes["gen_ai.request.stream"] = True
            run.attributes["gen_ai.response.time_to_first_chunk"] = (run.first_chunk_ns - run.start_ns) / 1e9

    @_safely
    def on_llm_end(self, response: LLMResult, *, run_id: UUID, **_: Any) -> None:
        """End a call."""
        if (run := self._runs.end(run_id)) is not None:
            run.attributes |= models.response(response, content=self.content)
            self._send(run)

    @_safely
    def on_llm_error(self, error: BaseException, *, run_id: UUID, **kwargs: Any) -> None:
        """End a call that failed, with what had come until then."""
        if (run := self._runs.end(run_id)) is not None:
            if (partial := kwargs.get("response")) is not None and partial.generations:
                run.attributes |= models.response(partial, content=self.content)
            self._send(run, error)

    # Chains, agents, graphs

    @_safely
    def on_chain_start(
        self,
        serialized: dict[str, Any],
        inputs: Any,
        *,
        run_id: UUID,
        parent_run_id: UUID | None = None,
        tags: list[str] | None = None,
        metadata: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        """Begin a chain, a graph or a node of one."""
        metadata = metadata or {}
        name = _named(serialized, kwargs, "chain")
        root = parent_run_id is None or self._runs.get(parent_run_id) is None
        found = {**_operation(name, metadata, root=root), **who(metadata), **_node(metadata)}
        operation = found.get("gen_ai.operation.name")
        if operation and self.content:
            found |= _conversation("gen_ai.input.messages", inputs, "user")
        title = f"{operation} {name}" if operation else name
        hidden = "langsmith:hidden" in (tags or ())
        self._runs.begin(run_id, parent_run_id, title, INTERNAL, found, hidden=hidden)

    @_safely
    def on_chain_end(self, outputs: Any, *, run_id: UUID, **_: Any) -> None:
        """End a chain."""
        if (run := self._runs.end(run_id)) is not None:
            if self.content and "gen_ai.operation.name" in run.attributes:
                run.attributes |= _conversation("gen_ai.output.messages", outputs, "assistant")
            self._send(run)

    @_safely
    def on_chain_error(self, error: BaseException, *, run_id: UUID, **_: Any) -> None:
        """End a chain that failed, or that waits for somebody."""
        if (run := self._runs.end(run_id)) is not None:
            self._send(run, error)

    # Tools

    @_safely
    def on_tool_start(
        self,
        serialized: dict[str, Any],
        input_str: str,
        *,
        run_id: UUID,
        parent_run_id: UUID | None = None,
        metadata: dict[str, Any] | None = None,
        inputs: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        """Begin a tool."""
        name = _named(serialized, kwargs, "tool")
        found: dict[str, Any] = {
            "gen_ai.operation.name": "execute_tool",
            "gen_ai.tool.name": name,
            "gen_ai.tool.type": "function",
            "gen_ai.tool.description": (serialized or {}).get("description"),
            "gen_ai.tool.call.id": kwargs.get("tool_call_id"),
            **who(metadata or {}),
            **_node(metadata or {}),
        }
        if self.content:
            found["gen_ai.tool.call.arguments"] = cut(to_json(inputs) if inputs is not None else input_str)
        self._runs.begin(run_id, parent_run_id, f"execute_tool {name}", INTERNAL, found)

    @_safely
    def on_tool_end(self, output: Any, *, run_id: UUID, **_: Any) -> None:
        """End a tool."""
        if (run := self._runs.end(run_id)) is None:
            return
        if (call := getattr(output, "tool_call_id", None)) is not None:
            run.attributes.setdefault("gen_ai.tool.call.id", call)
            run.attributes["gen_ai.tool.call.id"] = run.attributes["gen_ai.tool.call.id"] or call
        if getattr(output, "status", None) == "error":
            run.attributes["error.type"] = "tool_error"
        if self.content:
            result = getattr(output, "content", output)
            run.attributes["gen_ai.tool.call.result"] = cut(result if isinstance(result, str) else to_json(result))
        self._send(run)

    @_safely
    def on_tool_error(self, error: BaseException, *, run_id: UUID, **_: Any) -> None:
        """End a tool that failed."""
        if (run := self._runs.end(run_id)) is not None:
            self._send(run, error)

    # Retrievers

    @_safely
    def on_retriever_start(
        self,
        serialized: dict[str, Any],
        query: str,
        *,
        run_id: UUID,
        parent_run_id: UUID | None = None,
        metadata: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        """Begin a search for documents."""
        metadata = metadata or {}
        name = _named(serialized, kwargs, "retriever")
        found = {
            "gen_ai.operation.name": "retrieval",
            "gen_ai.data_source.id": metadata.get("ls_retriever_name") or name,
            "db.system.name": metadata.get("ls_vector_store_provider"),
            "gen_ai.request.model": metadata.get("ls_embedding_model"),
            **who(metadata),
            **_node(metadata),
        }
        if self.content:
            found["gen_ai.retrieval.query.text"] = cut(query if isinstance(query, str) else to_json(query))
        self._runs.begin(run_id, parent_run_id, f"retrieval {name}", CLIENT, found)

    @_safely
    def on_retriever_end(self, documents: Sequence[Document], *, run_id: UUID, **_: Any) -> None:
        """End a search."""
        if (run := self._runs.end(run_id)) is not None:
            found = [_document(place, one, content=self.content) for place, one in enumerate(documents)]
            run.attributes["gen_ai.retrieval.documents"] = to_json(found)
            run.attributes["db.response.returned_rows"] = len(found)
            self._send(run)

    @_safely
    def on_retriever_error(self, error: BaseException, *, run_id: UUID, **_: Any) -> None:
        """End a search that failed."""
        if (run := self._runs.end(run_id)) is not None:
            self._send(run, error)

    def _send(self, run: Run, error: BaseException | None = None) -> None:
        if not run.hidden:
            self.sender.span(span(run, error), _SCOPE)


def _asked(history: Sequence[BaseMessage]) -> dict[str, Any]:
    instructions, others = dialogue.split(history)
    found = {"gen_ai.input.messages": to_json(others)}
    if instructions:
        found["gen_ai.system_instructions"] = to_json(instructions)
    return found


def _named(serialized: Any, kwargs: Mapping[str, Any], otherwise: str) -> str:
    if isinstance(name := kwargs.get("name"), str) and name:
        return name
    if isinstance(serialized, dict):
        if isinstance(name := serialized.get("name"), str) and name:
            return name
        if path := serialized.get("id"):
            return str(path[-1])
    return otherwise


def _operation(name: str, metadata: Mapping[str, Any], *, root: bool) -> dict[str, Any]:
    """Return whether a chain is an agent, a workflow, or a step of one (which has no operation)."""
    agent = metadata.get("lc_agent_name")
    acts = agent or metadata.get("ls_integration") or name in ("LangGraph", "AgentExecutor") or "agent" in name.lower()
    if agent == name or (root and acts):
        return {"gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": agent or name}
    if root:
        return {"gen_ai.operation.name": "invoke_workflow", "gen_ai.workflow.name": name}
    return {}


def _node(metadata: Mapping[str, Any]) -> dict[str, Any]:
    return {"langgraph.node": metadata.get("langgraph_node"), "langgraph.step": metadata.get("langgraph_step")}


def _conversation(attribute: str, held: Any, role: str) -> dict[str, Any]:
    """Return what goes into or comes out of an agent or workflow: its messages, else its question, else its JSON."""
    if isinstance(held, dict):
        held = next((held[name] for name in ("messages", *_QUESTIONS, "output", "answer") if held.get(name)), held)
    if hasattr(held, "content") and hasattr(held, "type"):
        held = [held]
    if (
        isinstance(held, list | tuple)
        and held
        and all(hasattr(one, "content") and hasattr(one, "type") for one in held)
    ):
        if role == "assistant":
            held = held[-1:]
        return {attribute: to_json([dialogue.message(one) for one in held])}
    if held is None or held == "":
        return {}
    return {attribute: to_json([dialogue.plain(role, held if isinstance(held, str) else to_json(held))])}


def _document(place: int, one: Document, *, content: bool) -> dict[str, Any]:
    about = dict(one.metadata or {})
    known = getattr(one, "id", None) or next((about[name] for name in _IDS if about.get(name)), None)
    score = next((about[name] for name in _SCORES if isinstance(about.get(name), int | float)), None)
    found: dict[str, Any] = {"id": text(known) if known is not None else str(place)}
    if score is not None:
        found["score"] = score
    if content:
        found |= {"content": cut(one.page_content), "metadata": about}
    return found
