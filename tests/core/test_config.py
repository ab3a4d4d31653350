from __future__ import annotations

from pathlib import Path

import pytest

from treering.app.config import Settings
from treering.core.config import Config, decode, read_toml
from treering.core.errors import UserError


class Listener(Config):
    port: int = 7600
    host: str = "127.0.0.1"


def test_defaults_and_values() -> None:
    assert decode({"port": 1}, Listener) == Listener(port=1)


def test_an_unknown_field_is_named_with_the_nearest() -> None:
    with pytest.raises(UserError, match="prot") as caught:
        decode({"prot": 1}, Listener, "listener")
    assert caught.value.hint == "did you mean 'port'?"


def test_a_wrong_type_is_refused() -> None:
    with pytest.raises(UserError, match="port"):
        decode({"port": "x"}, Listener)


def test_a_missing_or_broken_file_is_the_users_mistake(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no configuration file"):
        read_toml(tmp_path / "none.toml")
    broken = tmp_path / "broken.toml"
    broken.write_text("a = [")
    with pytest.raises(UserError, match="not TOML"):
        read_toml(broken)


@pytest.mark.parametrize(
    ("tables", "place", "hint"),
    [
        ({"lisen": {}}, "`lisen`", "'listen'"),
        ({"listen": {"prt": 1}}, "`prt` in listen", "'port'"),
        ({"follow": [{"path": []}]}, "`path` in follow[0]", "'paths'"),
        ({"alerts": {"rules": [{"name": "a", "incidents": {"kinds": []}}]}}, "`kinds` in alerts.rules[0]", "'kind'"),
    ],
)
def test_a_name_that_is_not_known_is_answered_with_those_of_its_own_table(
    tables: dict[str, object], place: str, hint: str
) -> None:
    with pytest.raises(UserError) as error:
        decode(tables, Settings, "treering.toml")
    assert place in error.value.message
    assert hint in error.value.hint
