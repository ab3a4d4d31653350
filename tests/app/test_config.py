"""Configuration files: what is accepted, what is refused and how."""

from __future__ import annotations

import contextlib
import hashlib
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from treering.app import config
from treering.core.errors import UserError


def load(folder: Path, text: str) -> config.Settings:
    path = folder / "treering.toml"
    path.write_text(text, encoding="utf-8")
    return config.load(path)


def test_everything_can_be_said(tmp_path: Path) -> None:
    digest = hashlib.sha256(b"secret").hexdigest()
    text = f"""
data = "/var/lib/treering"
[listen]
host = "0.0.0.0"
port = 80
conventional = false
[retention]
logs = "30d"
[limits]
rows = 5
memory = "512MB"
[[follow]]
paths = ["/var/log/*.log"]
start = "end"
[[tokens]]
name = "ci"
sha256 = "{digest}"
role = "ingest"
"""
    settings = load(tmp_path, text)
    assert settings.listen.host == "0.0.0.0"
    assert settings.follow[0].paths == ("/var/log/*.log",)
    assert config.limits(settings).memory_bytes == 512 << 20
    assert settings.directory == Path("/var/lib/treering")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('dta = "x"', "did you mean 'data'"),
        ("[listen]\nport = 70000", "70000|65535|<= 65"),
        ('[listen]\nhost = "0.0.0.0"', "without authentication"),
        ('[retention]\nlogs = "soon"', "'soon' is not a time span"),
        ('[limits]\nmemory = "lots"', "'lots' is not a size"),
        ("[[follow]]\ninto = 'x'", "paths"),
        ("data = ", "not TOML"),
        ("[[tokens]]\nname='a'\nsha256='b'\nrole='king'", "unknown role"),
    ],
)
def test_mistakes_are_named(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(UserError) as caught:
        load(tmp_path, text)
    assert re.search(message, str(caught.value)), str(caught.value)


def test_no_file_means_the_defaults(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert config.load() == config.Settings()
    with pytest.raises(UserError, match="no configuration file"):
        config.load(tmp_path / "other.toml")


@given(st.text(max_size=12))
def test_spans_and_sizes_are_numbers_or_mistakes(text: str) -> None:
    for read in (config.seconds, config.size):
        with contextlib.suppress(UserError):
            assert read(text) >= 0
