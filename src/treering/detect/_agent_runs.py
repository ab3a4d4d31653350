"""What an agent did in a trace: what it was asked, which tools it ran with what, what they and documents gave it.

Read from `execute_tool` and retrieval spans, and from the messages of model calls where tools have no spans of their
own: `gen_ai.tool.call.id` joins the two.
"""

from __future__ import annotations

from bisect import bisect_left
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from treering.detect._orders import Order, orders
from treering.detect._prompt_scan import digest
from treering.detect._screen import OTHER, SAID_TOOL, TAG
from treering.detect._screened import screened
from treering.detect._texts import ASSISTANT, DOCUMENT, SYSTEM, TOOL, USER, Text, texts
from treering.detect._unfolded import MOST_TEXT
from treering.detect._values import leaves, strict

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from treering.model.rows import Rows

ARGUMENTS, RESULT = "attributes.gen_ai.tool.call.arguments", "attributes.gen_ai.tool.call.result"
DOCUMENTS = "attributes.gen_ai.retrieval.documents"
INPUT, OUTPUT = "attributes.gen_ai.input.messages", "attributes.gen_ai.output.messages"
_NAME, _CALL = "attributes.gen_ai.tool.name", "attributes.gen_ai.tool.call.id"
_SYSTEM = "attributes.gen_ai.system_instructions"
MOST_STEPS, _DULL = 60, 2.0
_MOST_ARGUMENTS, _MOST_ASKED, _MOST_VALUES, _MOST_SHOWN = 3_000, 4_000, 40, 200
_FAILED = frozenset({"2", "ERROR", "Error", "STATUS_CODE_ERROR"})


class Step(msgspec.Struct, omit_defaults=True):
    """A tool's run or a retrieval: where it is recorded, what went in, what in its result may matter later."""

    name: str
    at_ns: int
    seq: int
    span: str = ""
    call: str = ""
    field: str = RESULT
    arguments: str = ""
    arguments_field: str = ARGUMENTS
    document: str = ""
    orders: list[Order] = []
    near: list[str] = []
    """What surrounds each order in the result, for evidence."""
    values: list[str] = []
    failed: bool = False


class Run(msgspec.Struct, omit_defaults=True):
    """A trace of an agent."""

    trace: str
    stream: str
    asked: str = ""
    instructed: str = ""
    steps: dict[str, Step] = {}
    answer: Step | None = None
    who: list[tuple[str, str]] = []
    last_ns: int = 0
    is_over: bool = False
    is_judged: bool = False
    told: list[str] = []
    size: int = 0

    def add(self, name: str, step: Step) -> None:
        """Keep a step, unless there are too many; one that was known only from messages is replaced."""
        if not step.call and (call := same(step.name, step.arguments, self.steps, spoken=True)):
            del self.steps[call]
        if name in self.steps or len(self.steps) < MOST_STEPS:
            self.steps[name] = step

    def measure(self) -> None:
        """Note about how many bytes it takes in a state."""
        self.size = 600 + len(self.asked) + len(self.instructed) + sum(map(_size, self.steps.values()))

    @property
    def has_orders(self) -> bool:
        """Whether anything in it asks for anything."""
        return any(step.orders for step in self.steps.values())

    @property
    def is_dull(self) -> bool:
        """Whether there are only documents so far, and nothing in them sounds as if an agent were meant."""
        steps = self.steps.values()
        return bool(steps) and all(s.document and all(order.score < _DULL for order in s.orders) for s in steps)

    def in_order(self) -> list[Step]:
        """Return the steps by their time."""
        return sorted(self.steps.values(), key=lambda step: (step.at_ns, step.seq))


def same(name: str, arguments: str, steps: Mapping[str, Step], *, spoken: bool) -> str:
    """Return the identity of the first step that ran a tool with the same arguments; empty if there is none.

    Some instrumentations leave the id of the call out of the tool's span: `spoken` says whether a step is looked for
    that is known from messages, or one that has a span without such an id.
    """
    alike = (
        key
        for key, step in steps.items()
        if step.name == name and not step.document and bool(step.call) == spoken and _is_spoken(step) == spoken
    )
    given: list[tuple[str, str]] | None = None
    for key in alike:
        given = leaves(arguments) if given is None else given
        if leaves(steps[key].arguments) == given:
            return key
    return ""


def _is_spoken(step: Step) -> bool:
    """Return whether a step is known only from messages."""
    return step.arguments_field != ARGUMENTS and step.field != RESULT


def _size(step: Step) -> int:
    said = sum(len(order.text) + len(order.sentence) + 400 for order in step.orders)
    return 200 + len(step.arguments) + said + 30 * len(step.values)


def is_of_agents(rows: Rows) -> bool:
    """Return whether a batch can hold anything of agents that use tools or documents."""
    return any(rows.has(name) for name in (RESULT, ARGUMENTS, DOCUMENTS, INPUT))


def steps(rows: Rows) -> Iterator[tuple[int, str, Step]]:
    """Yield record, identity and step of each tool's run and each retrieved document of a batch."""
    if rows.has(RESULT) or rows.has(ARGUMENTS):
        chosen = rows.present(RESULT) | rows.present(ARGUMENTS)
        for index in chosen.nonzero()[0].tolist():
            step = _tool(rows, index)
            yield index, step.call or step.span or str(step.seq), step
    if rows.has(DOCUMENTS):
        places = rows.present(DOCUMENTS).nonzero()[0].tolist()
        for text in texts(rows, lambda source: places if source.column == DOCUMENTS else ()):
            if text.role == DOCUMENT:
                step = _document(rows, text)
                yield text.row, f"document {step.document}", step


def _tool(rows: Rows, index: int) -> Step:
    arguments, result = (_text(rows.value(name, index)) for name in (ARGUMENTS, RESULT))
    status = rows.value("status.code", index)
    step = Step(
        _text(rows.value(_NAME, index))[:200],
        int(rows.times[index]),
        int(rows.seqs[index]),
        _text(rows.value("spanId", index))[:64],
        _text(rows.value(_CALL, index))[:120],
        arguments=arguments[:_MOST_ARGUMENTS],
        failed=str(status) in _FAILED or rows.value("attributes.error.type", index) is not None,
    )
    learn(step, result, may_be_hostile=_may_be_hostile(rows, RESULT, index))
    return step


def _may_be_hostile(rows: Rows, field: str, index: int) -> bool:
    """Return whether a text of a record may hold a phrase of suspicious prompts."""
    return rows.has(field) and bool(screened(rows).flags(field)[index] & OTHER)


def _document(rows: Rows, text: Text) -> Step:
    span, name = (_text(rows.values(field)[text.row]) for field in ("spanId", "attributes.gen_ai.data_source.id"))
    document = text.source[:200] or digest(text.text)
    at_ns, seq = int(rows.times[text.row]), int(rows.seqs[text.row])
    step = Step(name[:200], at_ns, seq, span[:64], field=text.field, document=document)
    learn(step, text.text, may_be_hostile=_may_be_hostile(rows, text.field, text.row))
    return step


def learn(step: Step, result: str, *, may_be_hostile: bool) -> None:
    """Keep of a result what may matter: orders with their surroundings, exact values."""
    name = digest(result)
    known = _learnt.get(name)
    if known is None:
        found = orders(result, may_be_hostile=may_be_hostile)
        near = [_near(result, order) for order in found]
        known = _learnt[name] = _Learnt(found, near, strict(result[:MOST_TEXT], _MOST_VALUES))
        while len(_learnt) > _MOST_LEARNT:
            _learnt.pop(next(iter(_learnt)), None)
    step.orders, step.near, step.values = known


class _Learnt(NamedTuple):
    """What was kept of a result: documents come again and again."""

    orders: list[Order]
    near: list[str]
    values: list[str]


_learnt: dict[str, _Learnt] = {}
_MOST_LEARNT = 4_000


def _near(result: str, order: Order) -> str:
    """Return at most 400 characters of a result around an order, as they stand there."""
    at = result.find(order.sentence[:20])
    start = max(0, at - 100)
    return result[start : start + 400]


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    if value is None or isinstance(value, bool):
        return ""
    try:
        return msgspec.json.encode(value).decode()
    except (TypeError, ValueError, RecursionError):
        return ""


def talks(rows: Rows, known: set[int]) -> list[int]:
    """Return the model calls of a batch that are worth reading: those with tools or documents in their messages, and
    those among `known`, the records of traces that have any."""
    if not rows.has(INPUT):
        return []
    flags = screened(rows).flags(INPUT)
    worth = (flags & (SAID_TOOL | TAG)) > 0
    return [index for index in rows.present(INPUT).nonzero()[0].tolist() if worth[index] or index in known]


def hear(rows: Rows, index: int, run: Run, earlier: Sequence[int] = ()) -> None:
    """Take in what a model call says: what was asked, what the answer was, tools that have no spans of their own.

    `earlier` are calls of the same trace before it: what they say it says too, but theirs is the evidence.
    """
    asked: list[str] = []
    told: list[str] = []
    said: list[Text] = []
    for text in texts(rows, lambda _: (index,)):
        if text.field == INPUT and text.role == USER:
            asked.append(text.text)
        elif text.role == SYSTEM and text.field in (INPUT, _SYSTEM):
            told.append(text.text)
        elif text.field == INPUT and text.role == DOCUMENT:
            said.append(text)
    run.asked = max(run.asked, "\n".join(asked)[-_MOST_ASKED:], key=len)
    run.instructed = run.instructed or "\n".join(told)[:_MOST_ASKED]
    for text in said:
        _in_prompt(rows, index, run, text)
    _tools_in_messages(rows, index, run, earlier)
    _answered(rows, index, run)


def _in_prompt(rows: Rows, index: int, run: Run, text: Text) -> None:
    """Take in a document that a prompt carries in tags."""
    name = f"document {text.source or digest(text.text)}"
    if name not in run.steps and len(run.steps) < MOST_STEPS:
        step = Step("", int(rows.times[index]), int(rows.seqs[index]), _text(rows.value("spanId", index)), field=INPUT)
        step.document = text.source[:200] or digest(text.text)
        learn(step, text.text, may_be_hostile=_may_be_hostile(rows, INPUT, index))
        run.steps[name] = step


def _tools_in_messages(rows: Rows, index: int, run: Run, earlier: Sequence[int]) -> None:
    """Take in the tools that messages speak of and that have no span (yet)."""
    known: set[str] = set()
    """Calls whose span does not name them."""
    for number, (field, part) in enumerate(_parts(rows, index)):
        call = _text(part.get("id"))[:120]
        if not call or call in known or len(run.steps) >= MOST_STEPS:
            continue
        held = run.steps.get(call)
        if held is not None and not _is_spoken(held):
            continue
        is_call = part.get("type") == "tool_call"
        if held is None:
            arguments = _text(part.get("arguments")) if is_call else ""
            name = _text(part.get("name"))[:200]
            if is_call and same(name, arguments, run.steps, spoken=False):
                known.add(call)
                continue
            held = run.steps[call] = Step("", 0, 0, call=call, field="", arguments_field="")
            _said_by(held, rows, index, number)
        if is_call and not held.arguments_field:
            held.name = _text(part.get("name"))[:200]
            held.arguments, held.arguments_field = _text(part.get("arguments"))[:_MOST_ARGUMENTS], field
        elif not is_call and not held.field:
            _said_by(held, rows, _first(rows, (*earlier, index), call), number)
            held.field = field
            held.arguments_field = held.arguments_field and field  # a history has the call before the answer
            result = _text(part.get("response", part.get("result")))
            learn(held, result, may_be_hostile=_may_be_hostile(rows, field, index))


def _said_by(step: Step, rows: Rows, index: int, number: int) -> None:
    """Note the record that tells of a step, and that it is the `number`th there."""
    step.at_ns, step.seq = int(rows.times[index]) + number, int(rows.seqs[index])
    step.span = _text(rows.value("spanId", index))[:64]


def _first(rows: Rows, indexes: Sequence[int], call: str) -> int:
    """Return the first of growing histories that holds an id."""
    last = len(indexes) - 1
    return indexes[bisect_left(range(last), 1, key=lambda place: call in _text(rows.value(INPUT, indexes[place])))]


def _parts(rows: Rows, index: int) -> Iterator[tuple[str, dict[str, Any]]]:
    for field in (INPUT, OUTPUT):
        value = rows.value(field, index)
        if isinstance(value, str):
            if '"tool_call' not in value:
                continue
            try:
                value = msgspec.json.decode(value)
            except (msgspec.DecodeError, UnicodeEncodeError, RecursionError):
                continue
        for message in value if isinstance(value, list) else ():
            held = message.get("parts") if isinstance(message, dict) else None
            for part in held if isinstance(held, list) else ():
                if isinstance(part, dict) and part.get("type") in ("tool_call", "tool_call_response"):
                    yield field, part


def _answered(rows: Rows, index: int, run: Run) -> None:
    at_ns = int(rows.times[index])
    if run.answer is not None and run.answer.at_ns > at_ns:
        return
    said = [t.text for t in texts(rows, lambda source: (index,) if source.column == OUTPUT else ()) if not t.source]
    spoken = "\n".join(said)[:_MOST_ARGUMENTS]
    if spoken:
        span = _text(rows.value("spanId", index))[:64]
        run.answer = Step("", at_ns, int(rows.seqs[index]), span, arguments=spoken, arguments_field=OUTPUT)
        run.answer.name = ASSISTANT


def source_kind(step: Step) -> str:
    """Return what gave a text: a document or a tool."""
    return DOCUMENT if step.document else TOOL


def shown(names: Sequence[str], most: int = 6) -> str:
    """Return names as a short list."""
    return ", ".join(name[:_MOST_SHOWN] for name in names[:most]) + (" …" if len(names) > most else "")
