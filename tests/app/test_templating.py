"""`template.id`: which messages get one, that ids last, what prose costs."""

from __future__ import annotations

import random
import threading
from typing import TYPE_CHECKING

from treering import query as ppl
from treering.app.templating import COLUMN, Templates
from treering.model.batch import batch
from treering.stage.store import Limits
from treering.store.duckdb import DuckdbStore

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

WORDS = "tree ring forest wood bark leaf root year dry wet fire light dark thin wide narrow grow fall spring".split()
LOG = [f"request {n} finished in {n * 7 % 90} ms" for n in range(50)] + [
    f"cache miss for key docs/{n}" for n in range(9)
]


def ids(templates: Templates, bodies: Sequence[object], stream: str = "logs", **fields: object) -> list[str | None]:
    done = templates(batch(stream, [{"body": body, **fields} for body in bodies], received_ns=1))
    found: list[str | None] = done.data.column(COLUMN).to_pylist() if COLUMN in done.data.schema.names else []
    return found


def prose(count: int, seed: int = 1) -> list[str]:
    r = random.Random(seed)
    return [" ".join(r.choices(WORDS, k=r.randrange(6, 90))) for _ in range(count)]


def test_messages_of_one_statement_share_an_id_that_has_a_text() -> None:
    templates = Templates()
    found = ids(templates, LOG)
    assert len(set(found[:50])) == len(set(found[50:])) == 1
    texts = templates.texts(filter(None, set(found)))
    assert sorted(texts.values()) == ["cache miss for key <*>", "request <*> finished in <*> ms"]
    assert templates.texts(["nothing"]) == {}
    assert {one["text"] for one in templates.listed(10)} == set(texts.values())


def test_other_streams_and_other_bodies_pass() -> None:
    templates = Templates()
    given = batch("spans", [{"body": "request 1 finished"}], received_ns=1)
    assert templates(given) is given
    given = batch("logs", [{"n": 1}], received_ns=1)
    assert templates(given) is given
    assert ids(templates, [None, "request 1 finished", {"a": 1}, ""]) == [
        None,
        ids(templates, ["request 2 finished"])[0],
        None,
        None,
    ]


def test_ids_last_over_a_restart_without_mining_again(tmp_path: Path) -> None:
    path = tmp_path / "templates.json"
    templates = Templates(path)
    before = ids(templates, LOG)
    ids(templates, [f"user {name} logged in" for name in WORDS])
    users = ids(templates, ["user birch logged in"])
    templates.close()
    again = Templates(path)
    assert ids(again, LOG) == before
    assert again.texts(filter(None, users)) == {users[0]: "user <*> logged in"}
    again.close()
    path.write_bytes(b"{not json")
    assert ids(Templates(path), LOG) == before
    assert (tmp_path / "templates.unreadable").exists()


def test_prose_gets_no_id_and_costs_little_but_new_statements_get_one() -> None:
    templates = Templates()
    for start in range(0, 20_000, 1000):
        ids(templates, prose(1000, start))
    last = ids(templates, prose(1000, 99))
    assert sum(one is None for one in last) > 900
    assert len(templates.listed(100_000)) < 2500
    fresh = [f"worker {n} lost its lease" for n in range(3)]
    assert None not in ids(templates, fresh)


def test_long_messages_get_an_id_when_they_come_again() -> None:
    templates = Templates()
    long = "state " + " ".join(WORDS * 6)
    assert ids(templates, [long]) == [None]
    (again,) = ids(templates, [long])
    assert again is not None


def test_threads_agree() -> None:
    templates, found = Templates(), []
    threads = [threading.Thread(target=lambda: found.append(tuple(ids(templates, LOG)))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(found)) == 1


def test_a_query_counts_by_template_and_records_stay_their_senders() -> None:
    store, templates = DuckdbStore(), Templates()
    records = [{"body": body} for body in LOG]
    first = store.append([templates(batch("logs", records, received_ns=1))])
    asked = ppl.compile("source=logs | stats count() by template.id | sort - `count()`", schema=store.schema, now_ns=1)
    rows = store.run(asked, Limits()).rows
    assert [count for count, _ in rows] == [50, 9]
    assert templates.texts([str(rows[0][1])]) == {rows[0][1]: "request <*> finished in <*> ms"}
    assert [store.record("logs", first + n) for n in range(len(records))] == records
    store.close()
