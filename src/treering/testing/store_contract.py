# ruff: noqa: D102  the names of the checks say what they check
"""What every store must do, as checks that any implementation runs: subclass `StoreContract` and give it `make`."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from sqlglot import exp

from treering.core.errors import UserError
from treering.model.batch import Batch, batch
from treering.model.columns import SEQUENCE
from treering.stage.store import Limits, Query, ResultColumn, Scan

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from treering.stage.store import Store

START_NS = 1_764_000_000_000_000_000
SECOND = 1_000_000_000
AWKWARD: tuple[Mapping[str, Any], ...] = (
    {"@timestamp": START_NS + 123_456_789, "body": "plain", "n": 2**63 - 1, "attributes": {"a.b": 1, "c": {"d": "x"}}},
    {"@timestamp": START_NS + 1, "body": "mixed", "v": 1, "nothing": None, "empty": {}, "list": [1, "a", {"b": None}]},
    {"@timestamp": START_NS + 2, "body": "mixed", "v": "text", "big": 2**64 + 1, "negative": -(2**63)},
    {"@timestamp": START_NS + 3, "body": "日本語 ünïcode \u0000 \x7f", "v": 1.5, "slash/tilde~": {"": "empty name"}},
    {"@timestamp": START_NS + 4, "body": "é" * 500_000, "v": True},
)


def column(name: str) -> exp.Column:
    """Return a column of a scan's table."""
    return exp.column(exp.to_identifier(name, quoted=True), table="t")


def select(scan: Scan, *expressions: exp.Expression, **types: str) -> Query:
    """Return a query over one scan; without expressions it has the scan's own fields. `types` are PPL types."""
    chosen = expressions or tuple(column(name) for name in scan.fields)
    sql = exp.select(*(exp.alias_(item, f"c{index}") for index, item in enumerate(chosen))).from_(exp.to_table("t"))
    names = [item.alias_or_name for item in chosen]
    return Query(sql, {"t": scan}, tuple(ResultColumn(name, types.get(name, "string")) for name in names))


def answer(store: Store, scan: Scan, *expressions: exp.Expression, **types: str) -> list[tuple[Any, ...]]:
    """Return the rows of `select`."""
    return store.run(select(scan, *expressions, **types), Limits(rows=1_000_000)).rows


def count(store: Store, stream: str, **bounds: Any) -> int:
    """Return the number of records of a stream."""
    (row,) = answer(store, Scan((stream,), (), **bounds), exp.Count(this=exp.Star()))
    return int(row[0])


def logs(records: Sequence[Mapping[str, Any]], stream: str = "logs", ids: Sequence[str] | None = None) -> list[Batch]:
    """Return records as batches for `Store.append`."""
    return [batch(stream, records, received_ns=START_NS, ids=ids)]


def refuses(kind: type[Exception], call: Callable[[], object]) -> str:
    """Check that `call` raises `kind`, and return its message."""
    try:
        call()
    except kind as error:
        return str(error)
    raise AssertionError(f"{kind.__name__} was not raised")


class StoreContract:
    """The checks; each gets its own directory. `settle` may move rows to where the store keeps them for good."""

    def make(self, folder: Path) -> Store:
        """Return a store that keeps its data in `folder`; called again for a folder that is in use no more."""
        raise NotImplementedError

    def settle(self, store: Store) -> None:
        """Do now what the store would do later by itself."""

    def test_rows_are_numbered_and_shown_at_once(self, tmp_path: Path) -> None:
        store = self.make(tmp_path)
        first = store.append(logs([{"n": 1}, {"n": 2}]))
        second = store.append(logs([{"n": 3}]))
        rows = answer(store, Scan(("logs",), (SEQUENCE, "n", "_index")))
        assert rows == [(first, 1, "logs"), (first + 1, 2, "logs"), (second, 3, "logs")]
        assert second > first + 1
        store.close()

    def test_every_record_comes_back_as_it_was_sent(self, tmp_path: Path) -> None:
        store = self.make(tmp_path)
        first = store.append(logs(AWKWARD))
        for _ in range(2):
            found = [store.record("logs", first + index) for index in range(len(AWKWARD))]
            assert found == list(AWKWARD)
            self.settle(store)
        assert store.record("logs", first + 1000) is None
        store.close()

    def test_instants_are_nanoseconds(self, tmp_path: Path) -> None:
        store = self.make(tmp_path)
        store.append(logs([{"@timestamp": START_NS + 123_456_789}]))
        for _ in range(2):
            rows = answer(store, Scan(("logs",), ("@timestamp",)), **{"@timestamp": "timestamp"})
            assert rows == [(START_NS + 123_456_789,)]
            self.settle(store)
        store.close()

    def test_rows_survive_closing(self, tmp_path: Path) -> None:
        store = self.make(tmp_path)
        store.append(logs([{"n": number} for number in range(100)]))
        self.settle(store)
        last = store.append(logs([{"n": 100}]))
        store.close()
        store = self.make(tmp_path)
        assert [row[0] for row in answer(store, Scan(("logs",), ("n",)))] == list(range(101))
        assert store.append(logs([{"n": 101}])) > last
        store.close()

    def test_natural_order_is_the_order_of_sending(self, tmp_path: Path) -> None:
        store = self.make(tmp_path)
        for number in range(40):
            extra = {f"x{number % 5}": number} if number % 3 else {}
            store.append(logs([{"n": number, "@timestamp": START_NS - number, **extra}]))
            if number % 9 == 8:
                self.settle(store)
        assert [row[0] for row in answer(store, Scan(("logs",), ("n", "x1", "x2")))] == list(range(40))
        store.close()

    def test_time_bounds(self, tmp_path: Path) -> None:
        store = self.make(tmp_path)
        store.append(logs([{"@timestamp": START_NS + number * SECOND} for number in range(10)]))
        for _ in range(2):
            assert count(store, "logs", start_ns=START_NS + 2 * SECOND, end_ns=START_NS + 5 * SECOND) == 3
            assert count(store, "logs", start_ns=-(2**70), end_ns=2**70) == 10
            assert count(store, "logs", start_ns=START_NS + 10 * SECOND) == 0
            self.settle(store)
        store.close()

    def test_one_name_with_two_types(self, tmp_path: Path) -> None:
        store = self.make(tmp_path)
        for value in (1, "two", 3.5, True):
            store.append(logs([{"v": value}]))
            self.settle(store)
        assert len(answer(store, Scan(("logs",), ("v",)))) == 4
        assert [store.record("logs", row[0]) for row in answer(store, Scan(("logs",), (SEQUENCE,)))] == [
            {"v": 1}, {"v": "two"}, {"v": 3.5}, {"v": True},
        ]  # fmt: skip
        store.close()

    def test_ten_thousand_names_are_kept_and_found(self, tmp_path: Path) -> None:
        store = self.make(tmp_path)
        records = [
            {"attributes": {f"name.{row * 50 + index}": f"v{row}" for index in range(50)}, "row": row}
            for row in range(200)
        ]
        for start in range(0, 200, 20):
            store.append(logs(records[start : start + 20]))
        for _ in range(2):
            for row in (0, 7, 199):
                name = f"attributes.name.{row * 50 + 49}"
                found = answer(store, Scan(("logs",), ("row", name)), column("row"), column(name))
                assert [item for item in found if item[1] is not None] == [(row, f"v{row}")]
            self.settle(store)
        numbers = [row[0] for row in answer(store, Scan(("logs",), (SEQUENCE,)))]
        assert [store.record("logs", numbers[row]) for row in (0, 133, 199)] == [records[row] for row in (0, 133, 199)]
        assert sum(1 for field in store.schema(["logs"]) if field.name.startswith("attributes.name.")) >= 10_000
        store.close()

    def test_several_streams_and_patterns(self, tmp_path: Path) -> None:
        store = self.make(tmp_path)
        for name in ("logs-a", "logs-b", "spans"):
            store.append(logs([{"n": 1}], stream=name))
        assert [info.name for info in store.streams("logs-*")] == ["logs-a", "logs-b"]
        assert sorted(answer(store, Scan(("logs-*", "-logs-b"), ("_index", "n")))) == [("logs-a", 1)]
        assert count(store, "*") == 3
        refuses(UserError, lambda: store.schema(["missing"]))
        refuses(UserError, lambda: count(store, "missing"))
        store.close()

    def test_counts_and_times_of_streams(self, tmp_path: Path) -> None:
        store = self.make(tmp_path)
        store.append(logs([{"@timestamp": START_NS + number} for number in (5, 1, 9)]))
        for _ in range(2):
            (info,) = store.streams()
            assert (info.rows, info.first_ns, info.last_ns) == (3, START_NS + 1, START_NS + 9)
            assert info.bytes > 0
            self.settle(store)
        store.close()

    def test_mappings(self, tmp_path: Path) -> None:
        store = self.make(tmp_path)
        store.create("books", {"properties": {"title": {"type": "text"}, "pages": {"type": "integer"}}})
        refuses(UserError, lambda: store.create("books", {}))
        store.put_mapping("books", {"properties": {"author": {"properties": {"name": {"type": "keyword"}}}}})
        refuses(UserError, lambda: store.put_mapping("books", {"properties": {"pages": {"type": "text"}}}))
        refuses(UserError, lambda: store.put_mapping("missing", {"properties": {}}))
        assert count(store, "books") == 0
        store.close()
        store = self.make(tmp_path)
        types = {field.name: field.type for field in store.schema(["books"])}
        assert types == {"title": "text", "pages": "integer", "author": "object", "author.name": "keyword"}
        store.close()

    def test_a_deleted_stream_is_gone_for_good(self, tmp_path: Path) -> None:
        store = self.make(tmp_path)
        for name in ("logs", "other"):
            store.append(logs([{"n": 1}], stream=name))
            self.settle(store)
            store.append(logs([{"n": 2}], stream=name))
        assert store.delete("logs")
        assert not store.delete("logs")
        assert [info.name for info in store.streams()] == ["other"]
        store.append(logs([{"n": 3}]))
        store.close()
        store = self.make(tmp_path)
        assert answer(store, Scan(("logs",), ("n",))) == [(3,)]
        assert count(store, "other") == 2
        store.close()

    def test_records_are_deleted_and_replaced(self, tmp_path: Path) -> None:
        store = self.make(tmp_path)
        first = store.append(logs([{"n": number} for number in range(10)]))
        self.settle(store)
        second = store.append(logs([{"n": 10}]))
        store.append(logs([{"n": 11}]), {"logs": [first + 3, second]})
        for _ in range(2):
            assert [row[0] for row in answer(store, Scan(("logs",), ("n",)))] == [0, 1, 2, 4, 5, 6, 7, 8, 9, 11]
            assert count(store, "logs") == store.streams("logs")[0].rows == 10
            assert store.record("logs", second) is None
            self.settle(store)
        store.close()
        store = self.make(tmp_path)
        assert count(store, "logs") == 10
        store.close()

    def test_records_are_found_by_their_id(self, tmp_path: Path) -> None:
        store = self.make(tmp_path)
        first = store.append(logs([{"n": 1}, {"n": 2}], ids=["a", "b"]))
        for _ in range(2):
            assert store.find_ids("logs", ["b", "c", "a"]) == {"a": first, "b": first + 1}
            self.settle(store)
        replaced = store.append(logs([{"n": 3}], ids=["a"]), {"logs": [first]})
        for _ in range(2):
            assert store.find_ids("logs", ["a", "b"]) == {"a": replaced, "b": first + 1}
            assert store.find_ids("missing", ["a"]) == {}
            assert sorted(answer(store, Scan(("logs",), ("_id", "n")))) == [("a", 3), ("b", 2)]
            self.settle(store)
        store.close()

    def test_records_are_erased_by_a_condition(self, tmp_path: Path) -> None:
        store = self.make(tmp_path)
        store.append(logs([{"n": number} for number in range(10)]))
        self.settle(store)
        store.append(logs([{"n": number} for number in range(10, 20)]))
        old = exp.LT(this=exp.column("n", quoted=True), expression=exp.Literal.number(15))
        assert store.erase(Scan(("logs",), ("n",), where=old)) == 15
        assert [row[0] for row in answer(store, Scan(("logs",), ("n",)))] == list(range(15, 20))
        store.close()

    def test_newest_rows(self, tmp_path: Path) -> None:
        store = self.make(tmp_path)
        for start in range(0, 100, 20):
            store.append(logs([{"@timestamp": START_NS + n, "n": n} for n in range(start, start + 20)]))
            self.settle(store)
        even = exp.EQ(this=exp.Mod(this=exp.column("n", quoted=True), expression=exp.Literal.number(2)),
                      expression=exp.Literal.number(0))  # fmt: skip
        for where, expected in ((None, {97, 98, 99}), (even, {94, 96, 98})):
            rows = {row[0] for row in answer(store, Scan(("logs",), ("n",), where=where, newest=3))}
            assert expected <= rows
        store.close()

    def test_limits_are_errors_of_the_user(self, tmp_path: Path) -> None:
        store = self.make(tmp_path)
        store.append(logs([{"n": number} for number in range(2000)]))
        scan = Scan(("logs",), ("n",))
        assert "rows" in refuses(UserError, lambda: store.run(select(scan), Limits(rows=10)))
        cross = exp.select("count(*)").from_(exp.to_table("t")).where("sin(t.n) + sin(u.n) + sin(v.n) > 3")
        heavy = Query(
            cross.join("u", join_type="cross").join("v", join_type="cross"),
            {"t": scan, "u": scan, "v": scan},
            (ResultColumn("c", "bigint"),),
        )
        assert "seconds" in refuses(UserError, lambda: store.run(heavy, Limits(seconds=0.2)))
        cancel = threading.Event()
        threading.Timer(0.2, cancel.set).start()
        assert "cancel" in refuses(UserError, lambda: store.run(heavy, Limits(), cancel))
        broken = exp.cast(exp.Literal.string("x"), "INT")
        assert "x" in refuses(UserError, lambda: store.run(select(scan, broken), Limits()))
        assert count(store, "logs") == 2000
        store.close()

    def test_many_threads_append(self, tmp_path: Path) -> None:
        store = self.make(tmp_path)
        firsts: dict[int, int] = {}

        def send(worker: int) -> None:
            for turn in range(25):
                firsts[worker * 25 + turn] = store.append(logs([{"n": worker * 25 + turn}]))

        threads = [threading.Thread(target=send, args=(worker,)) for worker in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(answer(store, Scan(("logs",), (SEQUENCE, "n")))) == sorted((seq, n) for n, seq in firsts.items())
        assert [row[0] for row in answer(store, Scan(("logs",), (SEQUENCE,)))] == sorted(firsts.values())
        store.close()

    def test_what_was_appended_can_be_followed(self, tmp_path: Path) -> None:
        store = self.make(tmp_path)
        first = store.append(logs([{"n": number} for number in range(5)]))
        numbers = [value for part in store.tail(first + 1) for value in part.data.column(SEQUENCE).to_pylist()]
        assert numbers == [first + 2, first + 3, first + 4]
        assert list(store.tail(first + 4)) == []
        store.close()

    def test_what_was_appended_can_be_read_on_from_a_position(self, tmp_path: Path) -> None:
        store = self.make(tmp_path)
        for number in range(0, 12, 3):
            store.append(logs([{"n": number}, {"n": number + 1, "v": "x"}]) + logs([{"n": number + 2}], "other"))
            if number == 3:
                self.settle(store)
        store.append([], {"logs": [4]})
        found: list[tuple[str, int, int]] = []
        position, after = -1, -2
        while position > after:
            after = position
            position, parts = store.since(after, 5)
            for part in parts:
                seqs, values = part.data.column(SEQUENCE).to_pylist(), part.data.column("n:l").to_pylist()
                assert all(after < seq <= position for seq in seqs)
                assert part.data.column("_time").null_count == 0
                found += [(part.stream, seq, value) for seq, value in zip(seqs, values, strict=True)]
        expected = [("other" if seq % 3 == 2 else "logs", seq, seq) for seq in range(12) if seq != 4]
        assert sorted(found, key=lambda row: row[1]) == expected
        assert position == 11
        _, parts = store.since(-1, 100, ("oth*",))
        assert [part.stream for part in parts] == ["other"]
        store.close()
