"""The model's opinion of what was said, beside that of the phrases: as verdicts of the same form."""

from __future__ import annotations

import json
import math
from functools import cache
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec
import numpy as np

from treering.core.errors import UserError
from treering.detect import _prompt_scan
from treering.detect._injection_model import DATA, USER, InjectionModel, learnt
from treering.detect._prompt_scan import Verdict
from treering.detect._text_views import Reading

if TYPE_CHECKING:
    from collections.abc import Sequence

    from treering.detect._prompt_scan import Scanner
    from treering.parse.textview import View

MODEL = "model"
"""Name of the rule where only the model says so."""
_CACHED = 20_000
_SHORTEST = 12
_SPELT = frozenset({"backwards", "rot13", "spaced", "joined", "leet", "markup"})


class Opinion(NamedTuple):
    """Log-odds of a text (model and phrases together), and the verdict if it is an alarm."""

    odds: float
    verdict: Verdict | None


@cache
def _tables() -> tuple[Any, dict[str, float], dict[str, float]]:
    file = resources.files("treering.content") / "models" / "reading.npz"
    with file.open("rb") as raw, np.load(raw, allow_pickle=False) as held:
        words = bytes(held["words"]).decode().split("\n")
        shares = dict(zip(words, held["shares"].tolist(), strict=True))
        return held["pairs"], json.loads(bytes(held["limits"])), shares


class Calibration(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Log-odds above which a share of harmless texts lies, by share; `texts` is how many there were."""

    user: dict[str, float]
    data: dict[str, float]
    texts: dict[str, int] = {}

    def limits(self, people: str, documents: str) -> tuple[float, float]:
        """Return the limits of both heads for their budgets. Raises `UserError` for one that is not there."""
        try:
            return self.user[people], self.data[documents]
        except KeyError as missing:
            hint = "make it with `treering calibrate`"
            raise UserError(f"no budget {missing} in the calibration", hint=hint) from None


def calibration(file: str = "") -> Calibration:
    """Return the shipped calibration, or that of a file `treering calibrate` wrote. Raises `UserError` naming it."""
    if not file:
        facts = learnt().facts
        return Calibration(facts["user"]["thresholds"], facts["data"]["thresholds"])
    try:
        return msgspec.json.decode(Path(file).read_bytes(), type=Calibration)
    except (OSError, msgspec.DecodeError) as error:
        raise UserError(
            f"cannot read the calibration {file}: {error}", hint="make it with `treering calibrate`"
        ) from error


class SecondLook:
    """Judges what is said; remembers what it thought of the last texts."""

    def __init__(
        self, limits: tuple[float, float], scanner: Scanner | None = None, *, only_alarms: bool = False
    ) -> None:
        """Take the log-odds above which there is an alarm: for what people say, and for documents and tools.

        Where a text has to be read otherwise, `scanner` (the shipped phrases) reads it that way too. With `only_alarms`
        log-odds are exact for alarms alone, which is cheaper.
        """
        self._least = min(limits) if only_alarms else -math.inf
        self._scanner = scanner or _prompt_scan.scanner()
        self._model, self._limits = InjectionModel(learnt()), limits
        self._reading = Reading(self._model.ngrams, *_tables())
        self._known: dict[int, Opinion] = {}

    def verdicts(self, said: Sequence[tuple[str, str]], ruled: Sequence[Verdict | None]) -> list[Verdict | None]:
        """Return the verdicts of the phrases with those of the model where it finds an alarm in (role, text)."""
        opinions = self.opinions(said, ruled)
        return [opinion.verdict or first for opinion, first in zip(opinions, ruled, strict=True)]

    def opinions(self, said: Sequence[tuple[str, str]], ruled: Sequence[Verdict | None]) -> list[Opinion]:
        """Return what is thought of each (role, text) for which the phrases have a verdict or none."""
        names = [_prompt_scan.memo(role, text) for role, text in said]
        new = {n: (p, v) for n, p, v in zip(names, said, ruled, strict=True) if n not in self._known}
        new = {name: way for name, way in new.items() if len(way[0][1]) >= _SHORTEST}
        for part in _prompt_scan.portions(new):
            found = self._judge([pair for pair, _ in part.values()], [verdict for _, verdict in part.values()])
            self._known.update(zip(part, found, strict=True))
        nothing = Opinion(-math.inf, None)
        opinions = [self._known.get(name, nothing) for name in names]
        while len(self._known) > _CACHED:
            del self._known[next(iter(self._known))]
        return opinions

    def _judge(self, said: Sequence[tuple[str, str]], ruled: Sequence[Verdict | None]) -> list[Opinion]:
        views = self._reading.views([text for _, text in said])
        heads = [USER if role == "user" else DATA for role, _ in said]
        owner = [i for i, held in enumerate(views) for _ in held]
        flat = [view for held in views for view in held]
        scores = self._scores(said, ruled, owner, flat)
        judged = self._model.judge([view.text for view in flat], [heads[i] for i in owner], scores, self._least)
        best: dict[int, tuple[float, int]] = {}
        for place, (index, one) in enumerate(zip(owner, judged, strict=True)):
            if index not in best or one.odds > best[index][0]:
                best[index] = one.odds, place
        out = [Opinion(best[index][0], None) for index in range(len(said))]
        alarms = [index for index, opinion in enumerate(out) if opinion.odds > self._limits[heads[index]]]
        chosen = [(index, best[index][1]) for index in alarms]
        places = [(flat[at].text, heads[index], judged[at].start, judged[at].end) for index, at in chosen]
        for (index, at), spans in zip(chosen, self._model.reasons(places) if places else (), strict=True):
            out[index] = Opinion(out[index].odds, _verdict(out[index].odds, flat[at], spans, ruled[index]))
        return out

    def _scores(
        self,
        said: Sequence[tuple[str, str]],
        ruled: Sequence[Verdict | None],
        owner: Sequence[int],
        views: Sequence[View],
    ) -> list[float]:
        """Return the score of the phrases for each view: the text's, or its own where the spelling was undone."""
        scores = [verdict.score if (verdict := ruled[i]) else 0.0 for i in owner]
        spelt = [place for place, view in enumerate(views) if _SPELT.intersection(view.kinds)]
        found = self._scanner.verdicts([(said[owner[place]][0], views[place].text) for place in spelt])
        for place, verdict in zip(spelt, found, strict=True):
            scores[place] = max(scores[place], verdict.score if verdict else 0.0)
        return scores


def _verdict(odds: float, view: View, reasons: Sequence[tuple[int, int]], ruled: Verdict | None) -> Verdict:
    """Return what is said of an alarm, together with what the phrases say."""
    spans = [view.origin(a, b) for a, b in reasons]
    chance = 1 / (1 + math.exp(-min(30.0, max(-30.0, odds))))
    if ruled is None:
        return Verdict(chance, MODEL, (MODEL,), tuple(sorted(set(spans))), view.kinds)
    merged = tuple(sorted({*ruled.spans, *spans}))
    kinds = tuple(dict.fromkeys((*ruled.kinds, *view.kinds)))
    return Verdict(max(chance, ruled.score), ruled.category, (*ruled.rules, MODEL), merged, kinds)
