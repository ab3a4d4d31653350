"""`treering` without enrichers, `python -m benchmarks.plain up …`: what storing and indexing alone cost."""

from __future__ import annotations

from treering.app import pipeline
from treering.app.config import Settings
from treering.app.templating import Templates
from treering.cli import main
from treering.stage.enricher import Enricher


def _none(settings: Settings, templates: Templates) -> tuple[Enricher, ...]:
    del settings, templates
    return ()


if __name__ == "__main__":
    pipeline.enrichers = _none
    main()
