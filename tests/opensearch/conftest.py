"""Fixtures of the tests against a real OpenSearch."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.opensearch.common import Shared


@pytest.fixture
def name(opensearch: Shared) -> Iterator[str]:
    """A beginning of names that is nobody else's; indexes and templates that begin so are gone afterwards."""
    name = f"r{uuid.uuid4().hex[:12]}"
    yield name
    opensearch.call("DELETE", f"/{name}*?expand_wildcards=all")
    opensearch.call("DELETE", f"/_index_template/{name}*")
