"""What could be written at a place of a query: commands, options, fields, functions, streams, values, words.

The text before the place is read as far as it can be: what stands before the last pipe is planned, so that fields are
those that the commands so far leave; where it is broken, the stream's fields stand in. What follows the place, and
mistakes elsewhere, are no hindrance.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from treering.core.errors import UserError
from treering.query import lexer, manual, output
from treering.query.compiler import Compiler
from treering.query.function import Context
from treering.query.parser import parse

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from treering.model.schema import StreamSchema
    from treering.query.syntax import Pipeline

LIMIT = 50
_WORD = re.compile(r"`[^`]*$|[@\w][\w.@\-]*$")
_SOURCE = re.compile(r"\b(?:source|index)\s*=\s*(?:[\w.*-]+\s*,\s*)*$", re.IGNORECASE)
_NAMED = re.compile(r"\b(?:source|index)\s*=\s*([\w.*-]+(?:\s*,\s*[\w.*-]+)*)", re.IGNORECASE)
_EQUALS = re.compile(
    r"(?P<field>[@\w][\w.@-]*|`[^`]+`)\s*(?:=|==|!=|<>|:|\bin\s*\((?:[^()]*,)?)\s*"
    r"(?P<quote>['\"]?)(?P<begun>[^'\"|=()]*)$"
)
_QUOTED = re.compile(r"'(?:\\.|[^'\\])*'|\"(?:\\.|[^\"\\])*\"|`[^`]*`")
_BREAKS = re.compile(rf"{_QUOTED.pattern}|[|\[\]]")
_MADE = re.compile(r"(?:\bas\s+|\beval\s+|,\s*)([A-Za-z_@][\w.@]*)(?=\s*(?:=[^=]|[|,]|\s|$))", re.IGNORECASE)
_CALL = re.compile(r"([A-Za-z_]\w*)\s*\([^()]*$")
# What analysts write most, first; the others follow by name.
_USUAL = (
    "where stats fields sort head eval timechart top dedup rename rare patterns diff anomalies drift rex parse "
    "eventstats join lookup chart bin regex append"
).split()
_STARTING = tuple("search source index trace explain makeresults describe show multisearch graphlookup union".split())
_NOT_SHOWN = frozenset({"source", "index"})
_AGGREGATING = frozenset({"stats", "timechart", "eventstats", "streamstats", "chart"})
_CONDITIONS = frozenset({"search", "source", "index", "where"})
_FIELDS_ONLY = frozenset(
    (
        "fields table sort dedup rename top rare fillnull mvexpand expand mvcombine nomv flatten patterns parse grok "
        "regex anomalies"
    ).split()
)
_TEXTS = frozenset({"text", "keyword", "string"})
_WORDS: Mapping[str, tuple[str, ...]] = {
    "search": ("AND", "OR", "NOT", "IN", "earliest=", "latest=", "source="),
    "where": ("and", "or", "not", "in (", "between", "like", "is null", "is not null"),
    "eval": ("case(", "cast("),
    "stats": ("by", "as"),
    "eventstats": ("by", "as"),
    "streamstats": ("by", "as"),
    "timechart": ("by", "as"),
    "chart": ("over", "by", "as"),
    "sort": ("asc", "desc"),
    "head": ("from",),
    "top": ("by",),
    "rare": ("by",),
    "rename": ("as",),
    "anomalies": ("by",),
    "patterns": ("by",),
    "diff": ("[ where ", "against [ where ", "fields"),
    "lookup": ("as", "replace", "append"),
    "fillnull": ("with", "using", "in"),
    "replace": ("with", "in"),
}


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A text that may stand there; `kind` is command, field, function, value, stream, option or keyword."""

    text: str
    kind: str
    detail: str = ""
    values: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Completion:
    """Suggestions for the characters from `start` to `end`."""

    start: int
    end: int
    suggestions: tuple[Suggestion, ...]


@dataclass(frozen=True, slots=True)
class Known:
    """How often a field is there (a share of records, None where nobody looked) and its most frequent values."""

    share: float | None = None
    values: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Data:
    """What there is: `schema` answers for streams, `streams` names them, the largest first.

    `values` gives the frequent values of a field, `known` what was seen of fields in some records of streams; both may
    be expensive and are asked only for what is shown.
    """

    schema: Callable[[Sequence[str]], StreamSchema]
    streams: Callable[[], Iterable[str]]
    values: Callable[[Sequence[str], str], Iterable[str]] = lambda _streams, _field: ()
    known: Callable[[Sequence[str]], Mapping[str, Known]] = lambda _streams: {}
    declared: Callable[[Sequence[str]], Mapping[str, str]] = lambda _streams: {}
    default_source: str = "logs"


def completions(text: str, cursor: int, data: Data) -> Completion:
    """Return what could be written at `cursor` (characters from the beginning), the likeliest first."""
    before = text[: max(0, min(cursor, len(text)))]
    begin = _clause(before)
    clause = before[begin:]
    found = _WORD.search(before)
    start = found.start() if found and found.start() >= begin else len(before)
    word = before[start:].strip("`")
    if _SOURCE.search(before[:start]):
        return _matching(start, len(before), word, (Suggestion(name, "stream") for name in data.streams()))
    named = _NAMED.search(before) or _NAMED.search(text)
    sources = tuple(re.split(r"\s*,\s*", named[1])) if named else (data.default_source,)
    command = _command(clause)
    if (values := _values(before, clause, command, sources, data)) is not None:
        return values
    if _inside_quotes(clause):
        return Completion(len(before), len(before), ())
    if _is_command_place(before, begin, clause[: start - begin]):
        return _matching(start, len(before), word, _commands(before[:begin]))
    offered = _offered(command or "search", clause[: start - begin], before[:begin], sources, data)
    return _matching(start, len(before), word, offered)


# Where the place is


def _clause(before: str) -> int:
    """Return where the command at the end begins: after the last pipe or bracket that is not inside quotes."""
    position, opened = 0, [0]
    for found in _BREAKS.finditer(before):
        if found[0] == "[":
            opened.append(position)
            position = found.end()
        elif found[0] == "]":
            position = opened.pop() if len(opened) > 1 else position
        elif found[0] == "|":
            position = found.end()
    return position


def _inside_quotes(clause: str) -> bool:
    rest = _QUOTED.sub("", clause)
    return "'" in rest or '"' in rest


def _is_command_place(before: str, begin: int, head: str) -> bool:
    return bool(begin) and before[begin - 1] in "|[" and not head.strip()


def _command(clause: str) -> str | None:
    found = re.match(r"\s*([A-Za-z]+)\b", clause)
    return found[1].lower() if found and found[1].lower() in manual.commands() else None


def _start(head: str) -> int:
    """Return where the pipeline that `head` ends with begins: after the bracket that is still open, if one is."""
    opened = [0]
    for found in _BREAKS.finditer(head):
        if found[0] == "[":
            opened.append(found.end())
        elif found[0] == "]" and len(opened) > 1:
            opened.pop()
    return opened[-1]


# What is offered


def _commands(head: str) -> Iterator[Suggestion]:
    known = manual.commands()
    opens = head.rstrip().endswith("[")
    first = [*_USUAL, *sorted(name for name in known if name not in _USUAL)]
    for name in first:
        if name not in _NOT_SHOWN and (opens or name not in _STARTING or name in {"graphlookup", "union"}):
            yield Suggestion(name, "command", known[name].summary)
    if opens:
        yield Suggestion("source=", "keyword")


def _offered(command: str, clause: str, head: str, sources: Sequence[str], data: Data) -> Iterator[Suggestion]:
    """Offer what may follow in a command: aggregates before `by`, then fields, options, functions and words."""
    known = manual.commands().get(command)
    by = re.search(r"\b(?:by|over)\b", _QUOTED.sub("", clause), re.IGNORECASE) is not None
    inside = _CALL.search(_QUOTED.sub("", clause)) is not None
    if command in _CONDITIONS - {"where"} and not clause.strip():
        yield from (Suggestion(text, "keyword") for text in ("source=", "search"))
    if command in _AGGREGATING and not by and not inside:
        yield from _functions("aggregate")
        yield from _words(command, known)
        return
    yield from _fields(head, sources, data)
    if by and command in _AGGREGATING:
        yield Suggestion("span(", "function", "a bucket of time or of numbers")
    yield from _words(command, known)
    if command not in _FIELDS_ONLY | (_CONDITIONS - {"where"}) and not by:
        yield from _functions("function")
    if command in _CONDITIONS - {"where"} and not head.strip() and not clause.strip():
        summaries = manual.commands()
        yield from (Suggestion(name, "command", summaries[name].summary) for name in _STARTING if name in summaries)


def _words(command: str, known: manual.Help | None) -> Iterator[Suggestion]:
    said = dict(known.arguments) if known is not None else {}
    for option in known.options if known is not None else ():
        yield Suggestion(f"{option}=", "option", said.get(option, ""))
    name = "search" if command in _CONDITIONS - {"where"} else command
    yield from (Suggestion(word, "keyword") for word in _WORDS.get(name, ()))


def _functions(kind: str) -> Iterator[Suggestion]:
    for name, told in manual.calls().items():
        if told.kind == kind:
            yield Suggestion(f"{name}(", "function", told.summary)


def _fields(head: str, sources: Sequence[str], data: Data) -> Iterator[Suggestion]:
    """Offer the fields at this place: those that are there most often first, computed ones before all."""
    types = _planned(head, data) or _guessed(head, sources, data)
    stored = data.known(sources)
    order = {name: place for place, name in enumerate(types)}

    def rank(name: str) -> tuple[float, bool, int]:
        seen = stored.get(name, Known())
        share = 1.5 if types[name].computed else seen.share or 0.0
        # Texts of which no value repeats are ids and messages, which are rarely what is asked next.
        return -round(share, 1), types[name].kind in _TEXTS and not seen.values, order[name]

    for name in sorted(types, key=rank):
        seen = Known() if types[name].computed else stored.get(name, Known())
        share = f" · {seen.share:.0%}" if seen.share is not None and seen.share < 0.995 else ""
        yield Suggestion(lexer.name(name), "field", f"{types[name].kind}{share}", seen.values)


@dataclass(frozen=True, slots=True)
class _Field:
    """A field's type, and whether a command made it."""

    kind: str
    computed: bool = False


def _planned(head: str, data: Data) -> dict[str, _Field] | None:
    """Return the fields that the commands before this one leave; None where that cannot be told."""
    text = head[_start(head) :].rstrip().removesuffix("|").rstrip()
    if not text or text.endswith("["):
        return None
    try:
        pipeline = parse(text, data.default_source)
        compiler = Compiler(pipeline, schema=data.schema, context=Context(0), default_source=data.default_source)
        relation = compiler.relation(pipeline)
    except (UserError, RecursionError):
        return None
    shown = relation.columns if relation.implicit else output.visible(relation)
    own = {name: column for name, column in relation.metadata.items() if column.field and "own" in column.field.options}
    found = {
        name: _Field(column.field.type if column.field else column.type.value, column.field is None)
        for name, column in {**shown, **own}.items()
    }
    if relation.plain:
        declared = data.declared(_sources(pipeline))
        found |= {name: _Field(kind) for name, kind in declared.items() if name not in found}
    return found


def _sources(pipeline: Pipeline) -> tuple[str, ...]:
    return tuple(getattr(pipeline.commands[0], "sources", ())) if pipeline.commands else ()


def _guessed(head: str, sources: Sequence[str], data: Data) -> dict[str, _Field]:
    """Return the fields of the streams, and names that unfinished commands seem to make."""
    made = {name: _Field("", computed=True) for name in _MADE.findall(head)}
    try:
        stored = {field.name: _Field(field.type) for field in data.schema(sources)}
    except UserError:
        stored = {}  # a stream that is not there yet has no fields to offer
    declared = {name: _Field(kind) for name, kind in data.declared(sources).items() if name not in stored}
    return {**made, **stored, **declared}


def _values(before: str, clause: str, command: str | None, sources: Sequence[str], data: Data) -> Completion | None:
    """Return the values of the field before a sign of equality, where one is being written."""
    equal = _EQUALS.search(clause)
    if equal is None or command not in {None, *_CONDITIONS}:
        return None
    begun, quote = equal["begun"], equal["quote"]
    if not quote and _inside_quotes(clause[: equal.start("begun")]):
        return None
    field = equal["field"].strip("`")
    if field.lower() in {"source", "index", "earliest", "latest"}:
        return None
    values = [value for value in data.values(sources, field) if begun.lower() in value.lower()]
    values.sort(key=lambda value: not value.lower().startswith(begun.lower()))
    if not values:
        return None
    number = re.compile(r"-?\d+(\.\d+)?|true|false")
    shown = [value if quote or number.fullmatch(value) else lexer.quote(value) for value in values]
    start = len(before) - len(begun)
    return Completion(start, len(before), tuple(Suggestion(text, "value", field) for text in shown[:LIMIT]))


def _matching(start: int, end: int, word: str, offered: Iterable[Suggestion]) -> Completion:
    """Keep what begins with the word, then what contains it, then what has its letters in this order; each once."""
    wanted = word.lower()
    pattern = re.compile(".*".join(map(re.escape, wanted)))
    ranked: dict[str, tuple[int, int, Suggestion]] = {}
    for place, suggestion in enumerate(offered):
        plain = suggestion.text.strip("`").lower()
        if suggestion.text in ranked:
            continue
        if plain.startswith(wanted):
            ranked[suggestion.text] = (0, place, suggestion)
        elif re.search(rf"[._`]{re.escape(wanted)}", plain):
            ranked[suggestion.text] = (1, place, suggestion)
        elif wanted in plain:
            ranked[suggestion.text] = (2, place, suggestion)
        elif len(wanted) > 2 and pattern.search(plain):
            ranked[suggestion.text] = (3, place, suggestion)
    kept = sorted(ranked.values(), key=lambda item: item[:2])
    return Completion(start, end, tuple(suggestion for _, _, suggestion in kept[:LIMIT]))
