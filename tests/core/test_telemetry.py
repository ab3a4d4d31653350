from __future__ import annotations

from treering.core.telemetry import Telemetry


def test_the_conservation_law() -> None:
    telemetry = Telemetry()
    telemetry.received("bulk", 10)
    telemetry.stored("bulk", 6)
    telemetry.rejected("bulk", 2, "malformed")
    telemetry.dropped("bulk", 1, "sampled")
    (balance,) = telemetry.conservation()
    assert (balance.received, balance.stored, balance.rejected, balance.dropped, balance.in_flight) == (10, 6, 2, 1, 1)
    assert balance.holds


def test_a_record_that_vanishes_breaks_it() -> None:
    telemetry = Telemetry()
    telemetry.received("bulk", 2)
    telemetry.add("treering_in_flight_records", -1, receiver="bulk")
    assert not telemetry.conservation()[0].holds


def test_the_exposition_escapes_label_values() -> None:
    telemetry = Telemetry()
    telemetry.add("treering_x_total", 2, path='a"b\\c\nd')
    telemetry.set("treering_y", 0.5)
    assert telemetry.exposition() == (
        '# TYPE treering_x_total counter\ntreering_x_total{path="a\\"b\\\\c\\nd"} 2\n'
        "# TYPE treering_y gauge\ntreering_y 0.5\n"
    )
