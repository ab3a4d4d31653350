"""Log templates: masks, clusters, ids, bounds; accuracy where the labelled logs are at hand."""

from __future__ import annotations

import collections
import csv
import gzip
import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from treering.core.errors import UserError
from treering.parse.masks import WILD, mask, readable, tokens
from treering.parse.shapes import shape_hashes
from treering.parse.templates import Miner, mine

MESSAGES = [
    "Connection from 10.0.0.7:40112 closed after 12 ms",
    "Connection from [2001:db8::7]:40112 closed after 9 ms",
    "user alice logged in",
    "user bob logged in",
    "cache miss for key docs/17",
    "cache miss for key docs/18",
    "model loaded in 3.2 s",
]


@pytest.mark.parametrize(
    ("message", "masked"),
    [
        ("took 12.5 ms for 3 items", "took <*> ms for <*> items"),
        ("GET https://a.example/v1?x=1 from 10.0.0.7:80", "GET <*> from <*>"),
        ("open /var/log/a.log failed", "open <*> failed"),
        ("id 5f1c0a9e-0000-4000-8000-000000000001 gone", "id <*> gone"),
        ("peer aa:bb:cc:dd:ee:ff via fe80::1", "peer <*> via <*>"),
        ("at Mon Jul  4 12:52:44 2005 done", "at <*> done"),
        ("ids 1 2 3 4 5 and 6, 7, 8", "ids <*> and <*>"),
        ("free 12.3 KB of 4GB", "free <*> of <*>"),
        ("first line\nsecond 2", "first line"),
        ("kept as it is", "kept as it is"),
        ("", ""),
    ],
)
def test_mask(message, masked):
    assert mask(message) == masked


def test_templates_of_a_log():
    found = {one.text: one for one in mine(MESSAGES)}
    assert found["user <*> logged in"].count == 2
    assert found["user <*> logged in"].examples == [2, 3]
    assert found["Connection from <*> closed after <*> ms"].count in {1, 2}
    assert found["cache miss for key <*>"].examples == [4, 5]
    assert sum(one.count for one in found.values()) == len(MESSAGES)


def test_a_plain_word_stays_until_it_has_varied_often():
    words = ["ant", "bee", "cat", "dog", "elk", "fox", "gnu"]
    few = mine([f"removing the {word}" for word in words[:3]])
    assert [one.text for one in few] == [f"removing the {word}" for word in words[:3]]
    assert [one.text for one in mine([f"removing the {word}" for word in words])] == [f"removing the {WILD}"]


def test_ids_are_the_same_in_another_process_and_after_a_restart():
    miner, again = Miner(), Miner()
    ids = miner.add(MESSAGES)
    assert again.add(MESSAGES) == ids
    later = Miner.load(miner.dump())
    resolved = [miner.resolve(one) for one in ids]
    assert later.add(MESSAGES) == resolved
    assert later.add(["user carol logged in"]) == miner.add(["user carol logged in"]) == [resolved[2]]
    assert {one.id: one.count for one in later.templates()} == {
        one.id: one.count + (collections.Counter(resolved)[one.id]) for one in miner.templates()
    }


def test_an_id_of_a_template_that_grew_still_leads_to_it():
    miner = Miner()
    first = miner.add(["session opened for user alice"])[0]
    second = miner.add(["session opened for user bob"])[0]
    assert miner.resolve(first) == miner.resolve(second)
    assert len(miner.templates()) == 1
    assert Miner.load(miner.dump()).resolve(first) == miner.resolve(first)


def test_memory_is_bounded_and_frequent_templates_survive():
    miner = Miner(max_shapes=200)
    lasting = miner.add(["request done in 3 ms"] * 50)[0]
    for number in range(20):
        miner.add([f"{chr(97 + number)}{chr(97 + at % 26)}{chr(97 + at // 26)} " * 4 for at in range(100)])
    assert miner.resolve(miner.add(["request done in 4 ms"])[0]) == lasting
    assert len(miner.templates()) <= 400


def test_a_state_that_is_none_is_refused():
    with pytest.raises(UserError, match="not a state of templates"):
        Miner.load(b"{")
    with pytest.raises(UserError, match="version 99"):
        Miner.load(b'{"version":99,"templates":[],"aliases":{}}')


def test_shape_hashes_depend_on_the_message_alone():
    messages = ["a 1 b", "a 22 b", "a x b", "b 1 a", "", " ", "two\nlines", "two", "é" * 300, "w" * 5000]
    together = shape_hashes(messages)
    assert [int(value) for value in together] == [int(shape_hashes([one])[0]) for one in messages]
    assert together[0] == together[1]
    assert together[6] == together[7]
    assert len({int(value) for value in together}) == len(messages) - 2


@settings(max_examples=200, deadline=None)
@given(st.lists(st.text(max_size=80) | st.sampled_from(MESSAGES), max_size=30))
def test_any_messages_get_ids_and_are_counted(messages):
    miner = Miner()
    ids = miner.add(messages)
    assert len(ids) == len(messages)
    templates = {one.id: one for one in miner.templates()}
    assert sum(one.count for one in templates.values()) == len(messages)
    assert {miner.resolve(one) for one in ids} <= set(templates)
    assert miner.add(messages) == [miner.resolve(one) for one in ids]
    Miner.load(miner.dump())


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=200))
def test_a_masked_message_is_its_tokens(message):
    masked = mask(message)
    assert "".join(tokens(masked)) == masked
    assert "\n" not in masked
    assert readable(tokens(masked)) == masked or WILD in masked


SYSTEMS = [
    "HDFS", "Hadoop", "Spark", "Zookeeper", "BGL", "HPC", "Thunderbird", "Windows", "Linux", "Android", "HealthApp",
    "Apache", "Proxifier", "OpenSSH", "OpenStack", "Mac",
]  # fmt: skip


def grouping(found: list[str], labels: list[str]) -> tuple[float, float]:
    """Grouping accuracy and its F-measure over templates, as LogPub defines them."""
    ours, theirs = collections.defaultdict(list), collections.defaultdict(list)
    for index, (one, label) in enumerate(zip(found, labels, strict=True)):
        ours[one].append(index)
        theirs[label].append(index)
    true = {tuple(group) for group in theirs.values()}
    right = [group for group in ours.values() if tuple(group) in true]
    precision, recall = len(right) / len(ours), len(right) / len(theirs)
    return sum(map(len, right)) / len(found), 2 * precision * recall / (precision + recall)


def test_grouping_accuracy_on_labelled_logs(shared):
    folder = shared / "data" / "templates"
    scores = []
    for system in SYSTEMS:
        text = gzip.decompress((folder / system / f"{system}_2k.structured.csv.gz").read_bytes()).decode()
        rows = list(csv.DictReader(io.StringIO(text)))
        miner = Miner()
        ids = miner.add([row["Content"] for row in rows])
        scores.append(grouping([miner.resolve(one) for one in ids], [row["EventTemplate"] for row in rows]))
    accuracy, measure = (sum(column) / len(scores) for column in zip(*scores, strict=True))
    assert accuracy >= 0.93
    assert measure >= 0.93
