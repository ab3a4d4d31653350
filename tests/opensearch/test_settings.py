"""What can be set about the OpenSearch store: documented, refused where it cannot be, secrets never in it."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from treering.app import config as app
from treering.core.config import decode
from treering.core.errors import Retryable, UserError
from treering.store.opensearch import Config, credentials
from treering.store.opensearch.cluster import Cluster
from treering.testing.peers import http_peer

PAGE = Path(__file__).parents[2] / "docs" / "opensearch-store.md"


def test_every_setting_is_documented() -> None:
    lines = [line for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("| `")]
    named = {part for line in lines for part in line.split("|")[1].replace("`", "").replace(",", " ").split()}
    assert {field.name for field in msgspec.structs.fields(Config)} <= named


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"urls": ["ftp://x"]}, "not the address of a node"),
        ({"urls": ["http://user:secret@x"]}, "holds a secret"),
        ({"prefix": "Logs"}, "'Logs' cannot begin"),
        ({"alias": "all"}, "does not say where"),
        ({"user": "me"}, "no password for 'me'"),
        ({"user": "me", "password_env": "NOBODY_SETS_THIS"}, "NOBODY_SETS_THIS"),
        ({"api_key_file": "/nowhere"}, "cannot read /nowhere"),
        ({"urls": ["https://x"], "ca": "/nowhere"}, "certificates"),
        ({"shards": 0}, "shards"),
        ({"pasword": "x"}, "pasword"),
    ],
)
def test_what_cannot_be_is_refused(settings: dict[str, object], told: str) -> None:
    with pytest.raises(UserError, match=told):
        Cluster(decode(settings, Config).checked())


def test_the_section_of_the_configuration_is_read(tmp_path: Path) -> None:
    path = tmp_path / "treering.toml"
    path.write_text('store = "opensearch"\n[opensearch]\nreplicas = 2\n[retention]\nlogs = "2d"\n', encoding="utf-8")
    found = app.store_config(app.load(path))
    assert isinstance(found, Config)
    assert (found.replicas, found.retention) == (2, {"logs": 2.0})
    path.write_text('store = "opensearch"\n[opensearch]\nreplica = 2\n', encoding="utf-8")
    with pytest.raises(UserError, match="replicas"):
        app.load(path)


def test_secrets_are_sent_and_read_anew(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("one\n", encoding="utf-8")
    about = Config(urls=("http://127.0.0.1:9",), bearer_file=str(secret))
    assert credentials.authorization(about) == "Bearer one"
    secret.write_text("two", encoding="utf-8")
    assert credentials.authorization(about) == "Bearer two"
    basic = Config(user="me", password_file=str(secret))
    assert credentials.authorization(basic) == "Basic bWU6dHdv"
    assert credentials.authorization(Config(api_key_file=str(secret))) == "ApiKey two"
    assert credentials.authorization(Config()) is None


def test_a_dead_node_is_passed_over_and_named() -> None:
    with http_peer(mode="ok") as peer:
        cluster = Cluster(Config(urls=("http://127.0.0.1:9", f"http://127.0.0.1:{peer.port}"), patience_s=0.1))
        for _ in range(4):
            cluster.raw("GET", "/")
        assert len(peer.received) == 4
        assert list(cluster.trouble) == ["http://127.0.0.1:9"]
        cluster.close()


def test_busy_nodes_are_asked_again_for_a_while() -> None:
    with http_peer(mode="busy") as peer:
        cluster = Cluster(Config(urls=(f"http://127.0.0.1:{peer.port}",), patience_s=2.5))
        with pytest.raises(Retryable, match="busy"):
            cluster.raw("GET", "/")
        assert len(peer.received) > 1
        cluster.close()
