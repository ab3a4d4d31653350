"""The node that other tests talk to is a real one, and there is one however many ask for it."""

from __future__ import annotations

import os

import pytest

from tests.opensearch.common import Shared, joined


def test_all_share_one_real_node(opensearch: Shared, tmp_path_factory: pytest.TempPathFactory) -> None:
    status, told = opensearch.call("GET", "/")
    assert (status, told["version"]["distribution"]) == (200, "opensearch")
    base = tmp_path_factory.getbasetemp()
    with joined((base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "opensearch") as again:
        assert again == opensearch
    assert opensearch.call("GET", "/_cluster/health")[1]["number_of_nodes"] == 1
