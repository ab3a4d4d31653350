"""`treering copy`: into a real node and back, each record once and equal, also when it is broken off."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from tests.opensearch.test_contract import config
from tests.server import treering
from treering.app.copying import Copy, Sum
from treering.model.columns import SEQUENCE
from treering.stage.store import Scan
from treering.store.duckdb import DuckdbStore
from treering.store.opensearch.engine import OpenSearchStore
from treering.testing.store_contract import AWKWARD, START_NS, answer, logs

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tests.opensearch.common import Shared
    from treering.model.batch import Batch
    from treering.stage.store import Store


def filled(store: Store) -> None:
    store.create("books", {"properties": {"pages": {"type": "integer"}}})
    store.append(logs([{"pages": 7}, {"pages": "eight"}], "books"))
    store.append(logs(AWKWARD))
    for start in range(0, 600, 100):
        store.append(logs([{"n": n, "@timestamp": START_NS + n, f"x{n % 7}": n} for n in range(start, start + 100)]))
    store.append(logs([{"n": 1}], ids=["a"]), {"logs": [10]})


def content(store: Store, stream: str) -> list[Mapping[str, Any]]:
    seqs = [row[0] for row in answer(store, Scan((stream,), (SEQUENCE,)))]
    found = store.records(stream, seqs)
    return [found[seq] for seq in seqs]


class Broken(Exception):  # noqa: N818  what happens to a process
    """The process ended here."""


class Breaking(DuckdbStore):
    """Ends, at the third append, after the records were written and before anybody knew."""

    left = 3

    def append(self, batches: Sequence[Batch], tombstones: Mapping[str, Sequence[int]] | None = None) -> int:
        first = super().append(batches, tombstones or {})
        self.left -= 1
        if not self.left:
            raise Broken
        return first


def test_there_and_back_by_the_command_line(opensearch: Shared, name: str, tmp_path: Path) -> None:
    store = DuckdbStore(tmp_path / "data")
    filled(store)
    wanted = {stream: content(store, stream) for stream in ("books", "logs")}
    store.close()
    file = tmp_path / "treering.toml"
    file.write_text(
        f'[opensearch]\nurls = ["{opensearch.url}"]\nprefix = "{name}-"\nalias = "{name}.{{stream}}"\nreplicas = 0\n',
        encoding="utf-8",
    )
    there = treering("copy", "--data", tmp_path / "data", "--config", file)
    assert (there.returncode, there.stderr) == (0, b""), there
    assert b"logs: 605 read, 605 in the copy, the same" in there.stdout
    again = treering("copy", "--data", tmp_path / "data", "--config", file)
    assert b"logs: 605 read, 605 in the copy, the same" in again.stdout
    (tmp_path / "other").mkdir()
    back = treering("copy", "--from", "opensearch", "--to", "duckdb", "--data", tmp_path / "other", "--config", file)
    assert (back.returncode, back.stderr) == (0, b""), back
    store = DuckdbStore(tmp_path / "other")
    assert {stream: content(store, stream) for stream in ("books", "logs")} == wanted
    assert store.streams("books")[0].mapping == {"properties": {"pages": {"type": "integer"}}}
    store.close()
    missing = treering("copy", "nothing", "--data", tmp_path / "data", "--config", file)
    assert missing.returncode == 2
    assert b"duckdb has no stream nothing" in missing.stderr


def test_a_copy_that_was_broken_off_has_each_record_once(
    opensearch: Shared, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("treering.app.copying._STEP", 100)
    source = OpenSearchStore(config(opensearch, name))
    filled(source)
    target = Breaking(tmp_path / "data")
    with pytest.raises(Broken):
        Copy(source, target, ["*"], tmp_path / "journal.json").run()
    assert json.loads((tmp_path / "journal.json").read_bytes())["before"] is not None
    target.close()
    whole = DuckdbStore(tmp_path / "data")
    copy = Copy(source, whole, ["*"], tmp_path / "journal.json")
    copy.run()
    assert [(item.stream, item.found, item.same) for item in copy.verify()] == [("books", 2, True), ("logs", 605, True)]
    assert content(whole, "logs") == content(source, "logs")
    # One record less, or another one, is noticed.
    whole.append([], {"logs": [whole.newest_seq()]})
    assert [item.same for item in copy.verify()] == [True, False]
    source.close()
    whole.close()


def test_sums_do_not_depend_on_order_or_numbers() -> None:
    (batch,) = logs([{"n": 1}, {"n": 2, "v": None}])
    (turned,) = logs([{"v": None, "n": 2}, {"n": 1}])
    (other,) = logs([{"n": 1}, {"n": 2}])
    sums = [Sum(), Sum(), Sum()]
    for held, item in zip(sums, (batch, turned, other), strict=True):
        held.add(item)
    assert sums[0] == sums[1] != sums[2]
    assert msgspec.json.decode(msgspec.json.encode(sums[0]), type=Sum) == sums[0]
