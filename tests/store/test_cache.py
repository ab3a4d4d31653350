"""What was asked for is kept as long as it fits."""

from __future__ import annotations

from treering.store.duckdb.cache import Cache


def test_the_values_asked_for_last_are_kept() -> None:
    made: list[str] = []

    def make(name: str) -> bytes:
        made.append(name)
        return name.encode() * 4

    held = Cache(most_bytes=8)
    for name in ("a", "b", "a", "c", "a", "b"):
        assert held.get(name, lambda name=name: make(name), len) == name.encode() * 4  # type: ignore[misc]
    assert made == ["a", "b", "c", "b"]


def test_what_does_not_fit_is_made_each_time() -> None:
    held = Cache(most_bytes=3)
    assert [held.get("k", lambda size=size: bytes(size), len) for size in (4, 5)] == [bytes(4), bytes(5)]  # type: ignore[misc]
