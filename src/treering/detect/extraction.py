"""Copying a model by questions: one principal asks very many short, different ones, as nobody there does.

Follows who calls models, an hour at a time: how many calls and, once there are some (a tenth of what a sweep needs),
how many different inputs (linear counting, Whang and
others, ACM TODS 1990), how long, and how they are asked for: probabilities of tokens (`logprobs`), temperature 0. An
hour is a sweep when it has at least 300 calls, nearly all of them different and short, three times as many as the same
principal ever made in an hour and five times the 95 % quantile of all, *and* probabilities or temperature 0 are asked
for where others do not, or the inputs are of one template, or look random (Tramèr and others, Stealing machine learning
models via prediction APIs, USENIX Security 2016; Carlini and others, Stealing part of a production language model,
ICML 2024).

Misses: sweeps spread over many accounts or days, or slower than what is usual; callers without any name; a caller that
was sweeping before there was history.
"""

from __future__ import annotations

import math
from collections import Counter
from typing import TYPE_CHECKING, Annotated, Any
from zlib import crc32

import msgspec
import numpy as np
from msgspec import Meta

from treering.core.config import Config as BaseConfig
from treering.detect._as_read import AsRead
from treering.detect._asked import BETWEEN, HOUR_NS, INPUT, Asked
from treering.detect._fold import folded
from treering.detect._history import Distribution
from treering.detect._recent import recent
from treering.detect._whom import Whom, proof
from treering.model.finding import Entity, Evidence, Finding, Severity
from treering.stage.detector import Example

if TYPE_CHECKING:
    from collections.abc import Sequence

    from treering.model.rows import Rows

NAME = "extraction"
ORDER_FREE = False
_BITS = 2048
_MOST, _SHOWN = 1_500, 5
_LEAST_HOURS, _EVERY = 30, 10
_TEMPLATE, _ENTROPY = 40, 4.6


class Config(BaseConfig, frozen=True):
    """When questions are a sweep."""

    calls: Annotated[int, Meta(ge=10, description="calls of one principal within an hour")] = 300
    different: Annotated[float, Meta(gt=0, le=1, description="share of them that differ from each other")] = 0.9
    tokens: Annotated[float, Meta(gt=0, description="mean input tokens above which questions are not short")] = 400.0
    times: Annotated[float, Meta(gt=1, description="times the calls in an hour of nearly all principals")] = 5.0


class _Hour(msgspec.Struct):
    """What one principal does within an hour, and the most calls it made in an hour before."""

    hour: int
    calls: int = 0
    bitmap: bytearray = msgspec.field(default_factory=bytearray)
    bits: int = 0
    tokens: float = 0.0
    cold: int = 0
    probabilities: int = 0
    templated: int = 0
    odd: int = 0
    head: str = ""
    first_ns: int = 0
    most: int = 0
    told: int = 0
    shown: list[Evidence] = []

    @property
    def different(self) -> float:
        """About how many inputs were different."""
        return -_BITS * math.log(max(1, _BITS - self.bits) / _BITS)

    def begin(self, hour: int) -> None:
        """Start another hour."""
        self.most = max(self.most, self.calls)
        self.hour, self.calls, self.bits, self.tokens, self.cold, self.probabilities = hour, 0, 0, 0.0, 0, 0
        self.templated, self.odd, self.head, self.first_ns, self.told = 0, 0, "", 0, 0
        self.bitmap, self.shown = bytearray(), []


class _State(msgspec.Struct):
    principals: dict[str, _Hour] = {}
    usual: Distribution = msgspec.field(default_factory=Distribution)
    calls: float = 0.0
    cold: float = 0.0
    probabilities: float = 0.0


class Extraction(AsRead[_State]):
    """Follows who calls models."""

    streams = frozenset({"spans"})

    def __init__(self, config: Config) -> None:
        """Start without history."""
        self._config = config
        self._state = _State()
        self._unlooked = config.calls // 10  # calls in an hour that are counted alone

    def observe(self, rows: Rows) -> Sequence[Finding]:
        """Return the sweeps that a batch shows."""
        if not rows.has("attributes.gen_ai.operation.name"):
            return ()
        asked = Asked(rows)
        if not len(asked.places):
            return ()
        self._learn(asked)
        whom, found = Whom(rows), list[Finding]()
        for number in self._kept(asked):
            name = asked.names[number]
            hour, later = asked.hours[0][number], asked.hours[1][number]
            if hour == later and self._counted(name, hour, asked.sizes[number]):
                continue
            places = asked.members(number)
            asked.read(places)
            found += [one for place in places if (one := self._call(rows, whom, asked, place, name)) is not None]
        return folded(found)

    def _learn(self, asked: Asked) -> None:
        """Note how often tokens' probabilities and temperature 0 are asked for; older calls weigh less."""
        weights = 0.9999 ** np.arange(len(asked.places) - 1, -1, -1)
        state, before = self._state, 0.9999 ** len(asked.places)
        state.calls = state.calls * before + float(weights.sum())
        state.cold = state.cold * before + float(weights @ asked.cold[asked.places])
        state.probabilities = state.probabilities * before + float(weights @ asked.probable[asked.places])

    def _kept(self, asked: Asked) -> list[int]:
        """Return the principals that matter: not those with few calls whom so many follow that they are forgotten."""
        known, last = self._state.principals, len(asked.names) - _MOST
        return [
            number
            for number, name in enumerate(asked.names)
            if number >= last or asked.sizes[number] > self._unlooked or name in known
        ]

    def _counted(self, name: str, hour: int, calls: int) -> bool:
        """Count calls of a principal that makes so few in the hour that nobody has to look at them."""
        held = self._principal(name, hour)
        if held is None or held.calls + calls > self._unlooked:
            return held is None
        held.calls += calls
        return True

    def _call(self, rows: Rows, whom: Whom, asked: Asked, place: int, name: str) -> Finding | None:
        at_ns = int(rows.times[place])
        held = self._principal(name, at_ns // HOUR_NS)
        if held is None:
            return None
        held.calls += 1
        if held.calls <= self._unlooked:
            return None
        text = asked.text(place)
        _note(held, asked, place, text, at_ns)
        if held.calls < max(self._config.calls, 2 * held.told) or held.calls % _EVERY:
            return None
        signs = self._signs(held)
        if signs:
            held.shown = [*held.shown[-_SHOWN:], proof(rows, place, INPUT, text)]
        if not signs or not self._is_unusual(held):
            return None
        held.told = held.calls
        kind, _, who = name.partition(BETWEEN)
        return self._finding(rows, whom, place, (kind, who), held, signs)

    def _principal(self, name: str, hour: int) -> _Hour | None:
        """Return the hour of a principal, a new one when it is over; None for a call of an hour that is over."""
        held = recent(self._state.principals, name, _MOST, _Hour, hour)
        if hour > held.hour:
            if not held.told:  # a sweep is not what is usual
                self._state.usual.add([float(held.calls)], held.hour * HOUR_NS)
            held.begin(hour)
        return held if hour == held.hour else None

    def _signs(self, held: _Hour) -> list[str]:
        """Return what makes many short questions a sweep; none when they are few, long or repeated."""
        calls = held.calls - self._unlooked
        if (
            held.different < min(self._config.different * calls, 0.9 * _BITS)
            or held.tokens > self._config.tokens * calls
        ):
            return []
        others = max(1.0, self._state.calls)
        found = []
        if held.probabilities > 0.5 * calls and self._state.probabilities - held.probabilities < 0.2 * others:
            found.append("logprobs")
        if held.cold > 0.9 * calls and self._state.cold - held.cold < 0.3 * others:
            found.append("temperature 0")
        if held.templated > 0.9 * calls:
            found.append("one template")
        if held.odd * 8 > 0.8 * calls:
            found.append("random inputs")
        return found

    def _is_unusual(self, held: _Hour) -> bool:
        usual = self._state.usual
        known = usual.size >= _LEAST_HOURS
        return known and held.calls >= max(3 * held.most, self._config.times * usual.quantile(0.95))

    def _finding(
        self, rows: Rows, whom: Whom, place: int, who: tuple[str, str], held: _Hour, signs: Sequence[str]
    ) -> Finding:
        at_ns = int(rows.times[place])
        facts: dict[str, Any] = {
            "calls": held.calls,
            "different": round(min(held.different, held.calls)),
            "mean_tokens": round(held.tokens / max(1, held.calls - self._unlooked), 1),
            "signs": list(signs),
            "usual_calls": round(self._state.usual.quantile(0.95)),
            "most_before": held.most,
        }
        title = f"{who[1]} asks {held.calls} different short questions within an hour ({', '.join(signs)})"
        named = [entity for entity in whom.entities(place) if entity.kind != "trace"]
        return Finding(
            NAME, "model_sweep", title, Severity.HIGH, (*who, str(held.hour)),
            min(held.first_ns, at_ns), at_ns, at_ns, 1.0,
            (Entity(*who), *(entity for entity in named if entity != Entity(*who))), tuple(held.shown),
            ("owasp-llm@2026:LLM06", "mitre-atlas@2026.09:AML.T0024"), "AML.TA0010", facts | {"family": "security"},
        )  # fmt: skip


def _note(held: _Hour, asked: Asked, place: int, text: str, at_ns: int) -> None:
    held.first_ns = min(held.first_ns, at_ns) if held.first_ns else at_ns
    held.cold += bool(asked.cold[place])
    held.probabilities += bool(asked.probable[place])
    held.tokens += asked.tokens(place, text)
    if not text:
        return
    held.bitmap = held.bitmap or bytearray(_BITS // 8)
    mark = crc32(text.encode("utf-8", "surrogatepass")) % _BITS
    if not held.bitmap[mark >> 3] >> (mark & 7) & 1:
        held.bitmap[mark >> 3] |= 1 << (mark & 7)
        held.bits += 1
    held.templated += bool(held.head) and text.startswith(held.head)
    held.head = held.head or text[:_TEMPLATE] if len(text) > 2 * _TEMPLATE else held.head
    if held.calls % 8 == 0:
        held.odd += _entropy(text) > _ENTROPY


def _entropy(text: str) -> float:
    """Return the bits a character of the middle of a text; prose has about 4.2, random letters and digits above 5."""
    middle = text[len(text) // 3 :][:200]
    counts, total = Counter(middle), len(middle) or 1
    return -sum(count / total * math.log2(count / total) for count in counts.values())


def build(config: Config) -> Extraction:
    """Return the detector."""
    return Extraction(config)


_AT = 1_795_000_000 // 3600 * 3600 * 10**9


def _call(second: float, user: str, text: str, **more: Any) -> dict[str, Any]:
    said = msgspec.json.encode([{"role": "user", "parts": [{"type": "text", "content": text}]}]).decode()
    attributes = {
        "gen_ai.operation.name": "chat", "user.id": user, "gen_ai.input.messages": said,
        "gen_ai.usage.input_tokens": len(text) // 4, "gen_ai.request.temperature": 0.7, **more,
    }  # fmt: skip
    return {"@timestamp": int(_AT + second * 10**9), "serviceName": "api", "attributes": attributes}


_PEOPLE = [
    _call(3600 * hour + 60 * who, f"u-{who}", f"question {who} of hour {hour} about invoices")
    for hour in range(4)
    for who in range(20)
]
_COLD = {"gen_ai.request.temperature": 0.0, "gen_ai.request.logprobs": True}


def _sweep(count: int, **more: Any) -> list[dict[str, Any]]:
    return [_call(4 * 3600 + n, "thief", f"Which word follows item {n * 7919}?", **more) for n in range(count)]


EXAMPLES = (
    Example(
        "hundreds of different questions for probabilities", "spans", _PEOPLE + _sweep(320, **_COLD), ["model_sweep"]
    ),
    Example(
        "the same question again and again",
        "spans",
        _PEOPLE + [_call(4 * 3600 + n, "job", "ping", **_COLD) for n in range(320)],
    ),
    Example("a few different questions", "spans", _PEOPLE + _sweep(60, **_COLD)),
)
