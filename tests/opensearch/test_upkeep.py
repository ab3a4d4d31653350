"""What happens to a store in a cluster over time: old indexes go, nodes are reached over TLS, many streams are many."""

from __future__ import annotations

import shutil
import ssl
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.opensearch.faults import Faulty
from tests.opensearch.test_contract import config
from treering.core.clock import ManualClock
from treering.core.errors import Retryable
from treering.store.opensearch import Config
from treering.store.opensearch.cluster import Cluster
from treering.store.opensearch.engine import OpenSearchStore
from treering.testing.store_contract import START_NS, count, logs

if TYPE_CHECKING:
    from tests.opensearch.common import Shared

DAY = 86_400 * 10**9


def test_an_index_goes_when_all_its_records_are_old(opensearch: Shared, name: str) -> None:
    clock = ManualClock(START_NS)
    store = OpenSearchStore(config(opensearch, name, retention={"debug-*": 2.0}), clock=clock)
    try:
        for stream in ("debug-a", "logs"):
            store.append(logs([{"n": 1, "@timestamp": START_NS}], stream))
        clock.advance(2 * 86_400)
        store.append(logs([{"n": 2, "@timestamp": START_NS + 2 * DAY}, {"n": 3, "@timestamp": START_NS}], "debug-a"))
        store.retain()
        assert count(store, "debug-a") == 3
        clock.advance(86_400)
        store.retain()
        assert (count(store, "debug-a"), count(store, "logs")) == (2, 1)
        found = opensearch.call("GET", f"/_alias/{name}.debug-a")[1]
        assert list(found) == [f"{name}-debug-a-2025.11.26"]
        store.append(logs([{"n": 4}], "debug-a"))
        assert count(store, "debug-a") == 3
    finally:
        store.close()


def test_more_streams_than_fit_into_one_request(opensearch: Shared, name: str) -> None:
    long = "x" * 180
    store = OpenSearchStore(config(opensearch, name))
    try:
        store.append([batch for n in range(18) for batch in logs([{"n": n}], f"{long}{n}")])
        assert [info.rows for info in store.streams()] == [1] * 18
        assert count(store, "*") == 18
    finally:
        store.close()
    store = OpenSearchStore(config(opensearch, name))
    try:
        assert store.newest_seq() == 17
        assert len(store.since(-1, 100)[1]) == 18
    finally:
        store.close()


def test_nodes_are_reached_over_tls_that_is_checked(opensearch: Shared, name: str, tmp_path: Path) -> None:
    if shutil.which("openssl") is None:
        pytest.skip("needs openssl to make a certificate")
    certificate, key = tmp_path / "certificate.pem", tmp_path / "key.pem"
    made = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost"
    names = ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(certificate)]
    subprocess.run([*made.split(), *names], check=True, capture_output=True)
    with Faulty(opensearch.port, 0, rate=0) as proxy:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        proxy.secure(context)
        url = proxy.url.replace("http:", "https:")
        with pytest.raises(Retryable, match="CERTIFICATE_VERIFY_FAILED"):
            Cluster(Config(urls=(url,), patience_s=0.1)).call("GET", "/")
        for trusted in ({"ca": str(certificate)}, {"verify": False}):
            cluster = Cluster(Config(urls=(url,), **trusted))
            assert cluster.call("GET", "/")["version"]["distribution"] == "opensearch"
            cluster.close()
