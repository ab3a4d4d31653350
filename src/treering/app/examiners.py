"""The examiners of `treering analyze`, in the order in which they are told of everything."""

from __future__ import annotations

from typing import TYPE_CHECKING

from treering.app.examine_calls import ModelCalls
from treering.app.examine_numbers import Numbers
from treering.app.examine_outcomes import Outcomes
from treering.app.examine_traffic import Requests
from treering.app.examine_training import Training

if TYPE_CHECKING:
    from collections.abc import Callable

    from treering.app.examiner import Examiner

EXAMINERS: tuple[Callable[[], Examiner], ...] = (Training, Requests, ModelCalls, Numbers, Outcomes)
