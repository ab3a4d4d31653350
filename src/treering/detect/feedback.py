"""Poisoned feedback: scores in bursts from few accounts, and labels that are turned round.

Reads evaluation events of the GenAI conventions (`gen_ai.evaluation.name`, `.score.value`, `.score.label`) by who gave
them. A burst is an account with at least 20 scores within an hour and five times the 99 % quantile of what accounts
give in an hour; a campaign is an hour in which three accounts give more than half of at least 30 scores where they
usually give less than a quarter; label flips are an account that contradicts what was known of at least ten items
(response, trace or `item.id`), nearly always, where others rarely do.

Misses: many accounts with few scores each; a first campaign before ten hours are known; labels without an account.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import msgspec
from msgspec import Meta

from treering.core.config import Config as BaseConfig
from treering.detect._as_read import AsRead
from treering.detect._fold import folded
from treering.detect._history import Distribution
from treering.detect._recent import recent, remember
from treering.detect._whom import Whom, proof
from treering.model.finding import Entity, Evidence, Finding, Severity
from treering.stage.detector import Example

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from treering.model.rows import Rows

NAME = "feedback"
ORDER_FREE = False
_HOUR_NS = 3600 * 10**9
_NAME_FIELD, _VALUE = "attributes.gen_ai.evaluation.name", "attributes.gen_ai.evaluation.score.value"
_LABEL = "attributes.gen_ai.evaluation.score.label"
_ITEMS = ("attributes.item.id", "attributes.gen_ai.response.id", "traceId")
_MOST_ACCOUNTS, _MOST_ITEMS, _SHOWN = 2_000, 5_000, 5
_LEAST_ACCOUNT_HOURS, _LEAST_HOURS, _FEW = 50, 10, 3
_GOOD = frozenset(
    {"good", "up", "thumbs_up", "positive", "yes", "true", "correct", "like", "liked", "pass", "accepted"}
)
_BAD = frozenset(
    {"bad", "down", "thumbs_down", "negative", "no", "false", "incorrect", "dislike", "disliked", "fail", "rejected"}
)


class Config(BaseConfig, frozen=True):
    """When feedback is odd."""

    burst: Annotated[int, Meta(ge=3, description="scores of one account within an hour")] = 20
    times: Annotated[float, Meta(gt=1, description="times what nearly all accounts give in an hour")] = 5.0
    campaign: Annotated[int, Meta(ge=6, description="scores within an hour of which few accounts give most")] = 30
    flips: Annotated[int, Meta(ge=3, description="items that one account turns round")] = 10


class _Account(msgspec.Struct, array_like=True):
    """What an account gave within the hour, and how often it contradicted what was known."""

    hour: int
    scores: int = 0
    first_ns: int = 0
    told: bool = False
    rated: int = 0
    turned: int = 0
    flipped: bool = False
    shown: list[Evidence] = []


class _State(msgspec.Struct):
    accounts: dict[str, _Account] = {}
    items: dict[str, tuple[bool, str]] = {}
    usual: Distribution = msgspec.field(default_factory=Distribution)
    hour: int = 0
    counts: dict[str, int] = {}
    told: bool = False
    few: float = 0.0
    hours: int = 0
    rated: float = 0.0
    turned: float = 0.0


class Feedback(AsRead[_State]):
    """Follows who gives scores."""

    streams = frozenset({"logs", "spans"})

    def __init__(self, config: Config) -> None:
        """Start without history."""
        self._config = config
        self._state = _State()

    def observe(self, rows: Rows) -> Sequence[Finding]:
        """Return what the scores of a batch show."""
        if not rows.has(_NAME_FIELD):
            return ()
        whom = Whom(rows)
        places = [row for row, name in enumerate(rows.texts(_NAME_FIELD)) if name]
        return folded(finding for row in places for finding in self._score(rows, whom, row))

    def _score(self, rows: Rows, whom: Whom, row: int) -> Iterator[Finding]:
        name = whom.name("user", row) or whom.session(row) or whom.name("address", row)
        if not name:
            return
        at_ns = int(rows.times[row])
        account = self._account(name, at_ns // _HOUR_NS)
        if account is None:
            return
        account.scores += 1
        account.first_ns = account.first_ns or at_ns
        shown = proof(rows, row, _NAME_FIELD, f"{rows.text(_NAME_FIELD, row)}: {_said(rows, row)}")
        account.shown = [*account.shown[-_SHOWN:], shown]
        yield from self._burst(rows, whom, row, name, account)
        yield from self._campaign(rows, whom, row, name, at_ns // _HOUR_NS)
        yield from self._flip(rows, whom, row, name, account)

    def _account(self, name: str, hour: int) -> _Account | None:
        """Return an account in its present hour; None for a score of an hour that is over."""
        held = recent(self._state.accounts, name, _MOST_ACCOUNTS, _Account, hour)
        if hour > held.hour:
            if not held.told:
                self._state.usual.add([float(held.scores)], held.hour * _HOUR_NS)
            held.hour, held.scores, held.first_ns, held.told, held.shown = hour, 0, 0, False, []
        return held if hour == held.hour else None

    def _burst(self, rows: Rows, whom: Whom, row: int, name: str, account: _Account) -> Iterator[Finding]:
        usual = self._state.usual
        if account.told or account.scores < self._config.burst or usual.size < _LEAST_ACCOUNT_HOURS:
            return
        if account.scores < self._config.times * usual.quantile(0.99):
            return
        account.told = True
        facts = {"scores": account.scores, "usual": round(usual.quantile(0.99), 1)}
        title = f"{name} gives {account.scores} scores within an hour"
        key = (name, str(account.hour))
        yield self._finding(rows, whom, row, ("feedback_burst", title, key, facts), account.shown, account.first_ns)

    def _campaign(self, rows: Rows, whom: Whom, row: int, name: str, hour: int) -> Iterator[Finding]:
        """Tell an hour whose scores come from few accounts where they usually come from many."""
        state = self._state
        if hour > state.hour:
            total = sum(state.counts.values())
            if total >= self._config.campaign // 3 and not state.told:
                share = _few(state.counts) / total
                state.few = share if not state.hours else 0.9 * state.few + 0.1 * share
                state.hours += 1
            state.hour, state.counts, state.told = hour, {}, False
        if hour < state.hour or (name not in state.counts and len(state.counts) >= _MOST_ACCOUNTS):
            return
        state.counts[name] = state.counts.get(name, 0) + 1
        total, few = sum(state.counts.values()), _few(state.counts)
        if state.told or total < self._config.campaign or state.hours < _LEAST_HOURS or state.few > 0.25:
            return
        if few <= 0.5 * total:
            return
        state.told = True
        most = sorted(state.counts, key=lambda one: -state.counts[one])[:_FEW]
        shown = [one for account in most for one in state.accounts[account].shown[:4] if account in state.accounts]
        facts = {"scores": total, "from_few": few, "usual_share": round(state.few, 3), "accounts": most}
        title = f"{len(most)} accounts give {few} of {total} scores within an hour"
        more = tuple(Entity("user", account) for account in most)
        since = min((state.accounts[account].first_ns for account in most if account in state.accounts), default=0)
        made = self._finding(rows, whom, row, ("feedback_campaign", title, (str(hour),), facts), shown, since)
        yield msgspec.structs.replace(made, entities=tuple(dict.fromkeys((*more, *made.entities))))

    def _flip(self, rows: Rows, whom: Whom, row: int, name: str, account: _Account) -> Iterator[Finding]:
        """Note the label of an item; tell an account that turns round what was known of many."""
        good = _good(rows, row)
        item = next((found for field in _ITEMS if rows.has(field) and (found := rows.text(field, row))), "")
        if good is None or not item:
            return
        state, mark = self._state, f"{rows.text(_NAME_FIELD, row)}\0{item}"[:300]
        before = state.items.get(mark)
        told = before if before is not None and before[1] != name else (good, name)
        remember(state.items, mark, told, _MOST_ITEMS)
        if before is None:
            return
        turned = before[0] != good
        account.rated += 1
        account.turned += turned
        state.rated, state.turned = state.rated * 0.999 + 1, state.turned * 0.999 + turned
        others = max(1.0, state.rated - account.rated)
        if account.flipped or account.turned < self._config.flips or account.turned < 0.8 * account.rated:
            return
        if (state.turned - account.turned) / others > 0.3:
            return
        account.flipped = True
        facts = {"items": account.rated, "turned": account.turned}
        title = f"{name} turns round the labels of {account.turned} items"
        yield self._finding(rows, whom, row, ("label_flips", title, (name,), facts), account.shown, account.first_ns)

    def _finding(
        self,
        rows: Rows,
        whom: Whom,
        row: int,
        said: tuple[str, str, tuple[str, ...], dict[str, Any]],
        shown: Sequence[Evidence],
        since_ns: int,
    ) -> Finding:
        rule, title, key, facts = said
        at_ns = int(rows.times[row])
        return Finding(
            NAME, rule, title, Severity.MEDIUM, key, min(since_ns or at_ns, at_ns), at_ns, at_ns, 1.0,
            tuple(entity for entity in whom.entities(row) if entity.kind not in ("trace", "session")), tuple(shown),
            ("owasp-llm@2026:LLM05", "mitre-atlas@2026.09:AML.T0020"), "AML.TA0006", facts | {"family": "security"},
        )  # fmt: skip


def _few(counts: dict[str, int]) -> int:
    return sum(sorted(counts.values(), reverse=True)[:_FEW])


def _said(rows: Rows, row: int) -> str:
    value, label = rows.value(_VALUE, row), rows.text(_LABEL, row)
    return label or ("" if value is None else str(value)[:40])


def _good(rows: Rows, row: int) -> bool | None:
    """Whether a score is a good one: by its label, else by its value; None where neither says."""
    label = (rows.text(_LABEL, row) or "").lower()
    if label in _GOOD or label in _BAD:
        return label in _GOOD
    value = rows.value(_VALUE, row)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return value > 0 if value <= 0 or value >= 1 else value >= 0.5


def build(config: Config) -> Feedback:
    """Return the detector."""
    return Feedback(config)


_AT = 1_795_000_000 // 3600 * 3600 * 10**9


def _event(minute: float, user: str, good: bool, item: str) -> dict[str, Any]:
    attributes = {
        "gen_ai.evaluation.name": "user_feedback", "gen_ai.evaluation.score.value": 1.0 if good else 0.0,
        "user.id": user, "item.id": item,
    }  # fmt: skip
    return {"@timestamp": int(_AT + minute * 60 * 10**9), "serviceName": "web", "body": "", "attributes": attributes}


_PEOPLE = [
    _event(60 * hour + who, f"u-{who}", (hour + who) % 4 > 0, f"i-{hour}-{who}")
    for hour in range(12)
    for who in range(24)
]
_BOTS = [_event(12 * 60 + n * 0.3, f"bot-{n % 3}", good=False, item=f"b-{n}") for n in range(90)]
_TURNED = [_event(12 * 60 + n, "turner", (n // 24 + n % 24) % 4 == 0, f"i-{n // 24}-{n % 24}") for n in range(14)]
EXAMPLES = (
    Example("three accounts give nearly all scores", "logs", _PEOPLE + _BOTS, ["feedback_burst", "feedback_campaign"]),
    Example("an account turns labels round", "logs", _PEOPLE + _TURNED, ["label_flips"]),
    Example("people give a score now and then", "logs", _PEOPLE),
)
