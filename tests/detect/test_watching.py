"""What the examples of single detectors do not show: methods, new models, languages, late lanes, the watermark."""

from __future__ import annotations

from typing import Any

import pytest

from treering.app.detectors import Detectors, laid_out, maker
from treering.app.watermark import IDLE_S, PATIENCE_S, Watermark
from treering.detect import drift, latency
from treering.detect._history import History
from treering.detect._language import language
from treering.model.batch import batch
from treering.model.rows import Rows
from treering.testing.detector_contract import detector, feed

START_NS = 1_772_000_000_000_000_000
SECOND = 10**9
MINUTE = 60 * SECOND


@pytest.mark.parametrize("method", ["robust", "zscore", "mad", "iqr", "ewma"])
def test_every_method_finds_what_is_five_times_slower(method: str) -> None:
    example = latency.EXAMPLES[0]
    minutes = [dict(record) for record in example.records]
    # The other methods compare with half hours, so they need more of them.
    early = [
        {**record, "@timestamp": record["@timestamp"] - hours * 3600 * SECOND}
        for hours in (5, 3)
        for record in minutes[:300]
    ]
    found = feed(detector(latency, {"method": method}), "spans", [*early, *minutes], 50)
    assert {finding.rule for finding in found} == {"slow"}
    assert min(finding.start_ns for finding in found) >= START_NS + 138 * MINUTE


def test_an_anomaly_ends() -> None:
    example = latency.EXAMPLES[0]
    slow = [dict(record) for record in example.records]
    after = [{**record, "@timestamp": record["@timestamp"] + 150 * MINUTE} for record in slow[:60]]
    found = feed(detector(latency), "spans", [*slow, *after], 30)
    assert found[-1].facts.get("ended") is True
    assert len({finding.fingerprint for finding in found}) == 1


@pytest.mark.parametrize(("quiet", "told"), [(2, 0), (3, 1)])
def test_slow_calls_that_nothing_follows_are_told(quiet: int, told: int) -> None:
    usual = [dict(record) for record in latency.EXAMPLES[1].records[:450]]
    end = (START_NS // MINUTE + 151) * MINUTE
    slow = [{**usual[n], "@timestamp": end + n * SECOND, "durationInNanos": 6 * SECOND} for n in range(4)]
    watched = detector(latency)
    assert not feed(watched, "spans", usual, 50)
    watched.observe(Rows(batch("spans", slow, received_ns=0), 450))
    found = watched.tick(end + quiet * MINUTE + SECOND, None)
    assert [finding.rule for finding in found] == ["slow"] * told
    assert all(finding.noticed_ns == end + 3 * MINUTE for finding in found)


def test_a_usual_call_says_that_slow_ones_were_chance() -> None:
    usual = [dict(record) for record in latency.EXAMPLES[1].records[:450]]
    end = (START_NS // MINUTE + 151) * MINUTE
    slow = [{**usual[n], "@timestamp": end + n * SECOND, "durationInNanos": 6 * SECOND} for n in range(4)]
    after = [{**usual[n], "@timestamp": end + (62 + n) * SECOND, "durationInNanos": SECOND} for n in range(4)]
    watched = detector(latency)
    feed(watched, "spans", usual, 50)
    watched.observe(Rows(batch("spans", [*slow, *after], received_ns=0), 450))
    assert watched.tick(end + 9 * MINUTE, None) == []


def test_a_model_never_used_before_is_told_by_its_second_call() -> None:
    found = feed(detector(drift), "spans", drift.EXAMPLES[0].records, 4)
    new = [finding for finding in found if finding.rule == "new_model"]
    assert [finding.values("model") for finding in new] == [("m-2",)]
    assert new[0].noticed_ns < START_NS + 226 * MINUTE


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("The invoice is not due until you have confirmed the order.", "en"),
        ("Die Rechnung ist erst fällig, wenn Sie den Auftrag bestätigt haben und das Geld da ist.", "de"),
        ("La facture est due quand vous avez confirmé la commande dans le portail.", "fr"),
        ("La factura no se paga hasta que el pedido está confirmado en el portal.", "es"),
        ("請求書はまだ確定していません。", "ja"),
        ("Счёт ещё не подтверждён", "ru"),
        ("x = 17; y", "?"),
        ("", "?"),
    ],
)
def test_languages(text: str, code: str) -> None:
    assert language(text) == code


def rows(seconds: list[float], service: str = "web", stream: str = "logs") -> Rows:
    records = [{"@timestamp": START_NS + int(s * SECOND), "serviceName": service} for s in seconds]
    return Rows(batch(stream, records, received_ns=START_NS))


def test_the_watermark_follows_the_slowest_lane_that_delivers() -> None:
    mark = Watermark(30.0)
    now = START_NS + 10**15
    mark.see(rows([1000]), now, 0.0)
    mark.see(rows([200], "files"), now, 0.0)
    assert mark.move(0.0) == START_NS + 170 * SECOND
    mark.see(rows([1010]), now, IDLE_S + 1)
    assert mark.move(IDLE_S + 1) >= START_NS + 980 * SECOND
    mark.see(rows([300], "files"), now, IDLE_S + 2)
    assert mark.move(IDLE_S + 2) >= START_NS + 980 * SECOND, "it never runs backwards"


def test_a_lane_that_stays_behind_is_not_waited_for_long() -> None:
    mark = Watermark(30.0)
    now = START_NS + 10**15
    for second in range(int(PATIENCE_S) + 2):
        mark.see(rows([5000 + second]), now, float(second))
        mark.see(rows([100 + second], "old file"), now, float(second))
        value = mark.move(float(second))
    assert value >= START_NS + 4990 * SECOND


def test_quiet_windows_close_by_the_clock_and_the_future_does_not_count() -> None:
    mark = Watermark(30.0)
    now = START_NS + 100 * SECOND
    mark.see(rows([90, 10**6]), now, 0.0)
    assert mark.move(1.0) < START_NS + 100 * SECOND
    assert mark.move(600.0) >= START_NS + 600 * SECOND


def test_a_long_batch_is_laid_out_in_time() -> None:
    seconds = [7200.0, 10.0, 3600.0, 20.0]
    records = [{"@timestamp": START_NS + int(s * SECOND), "n": s} for s in seconds]
    groups = list(laid_out([batch("logs", records, received_ns=START_NS)]))
    values = [value for group in groups for part in group for value in Rows(part).values("n")]
    assert values == [10.0, 20.0, 3600.0, 7200.0]


def test_a_service_read_hours_late_is_judged_too() -> None:
    """Files of another service that come after everything else still show what is in them."""
    slow = [dict(record) for record in latency.EXAMPLES[0].records]
    early: list[dict[str, Any]] = [{**record, "serviceName": "other"} for record in latency.EXAMPLES[1].records]
    late = [{**record, "@timestamp": record["@timestamp"] + 4 * 3600 * SECOND} for record in early]
    detectors = Detectors({"latency": maker("latency", {})})
    mark = Watermark(30.0)
    found = []
    for clock, part in enumerate((late, slow)):
        data = [batch("spans", part, received_ns=START_NS)]
        found += detectors.take(data, mark, START_NS + 10**15, clock * 60.0)
    found += detectors.finish(mark.finish(), None)
    assert {finding.values("service") for finding in found} == {("shop",)}
    assert {finding.rule for finding in found} == {"slow"}


def test_the_same_time_of_day_is_compared_where_three_days_are_known() -> None:
    history = History()
    day, noon = 24 * 60 * MINUTE, START_NS // (24 * 60 * MINUTE) * 24 * 60 * MINUTE + 12 * 60 * MINUTE
    for days in (1, 2):
        history.add(noon - days * day, calls=100, hits=50, level=1.0)
    history.add(noon - 60 * MINUTE, calls=7, hits=0, level=1.0)
    assert [slot.calls for slot in history.usual(noon)] == [7, 100]
    history.add(noon - 3 * day, calls=100, hits=50, level=1.0)
    assert {slot.calls for slot in history.usual(noon)} == {100}
    assert history.span_ns(noon) == 3 * day
