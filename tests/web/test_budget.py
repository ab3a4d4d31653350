from __future__ import annotations

import asyncio

import pytest

from treering.web.budget import Budget
from treering.web.problem import Problem


def test_requests_beyond_the_budget_wait_in_turn() -> None:
    async def scenario() -> list[str]:
        budget = Budget(100, wait_s=5)
        done: list[str] = []

        async def one(name: str, size: int) -> None:
            async with budget.hold(size):
                await asyncio.sleep(0.01)
                done.append(name)

        await asyncio.gather(one("a", 80), one("b", 60), one("c", 10))
        assert budget.used == 0
        return done

    assert asyncio.run(scenario()) == ["a", "b", "c"]


def test_one_larger_than_the_budget_gets_all_of_it() -> None:
    async def scenario() -> None:
        budget = Budget(100, wait_s=1)
        async with budget.hold(1000):
            assert budget.used == 100
        assert budget.used == 0

    asyncio.run(scenario())


def test_waiting_ends_with_429_and_others_go_on() -> None:
    async def scenario() -> None:
        budget = Budget(100, wait_s=0.05)
        async with budget.hold(100):
            with pytest.raises(Problem) as refused:
                async with budget.hold(1):
                    pass
            assert refused.value.status == 429
            assert refused.value.headers["retry-after"] == "2"
            waiting = asyncio.ensure_future(budget.hold(1).__aenter__())
            await asyncio.sleep(0)
            waiting.cancel()
            await asyncio.gather(waiting, return_exceptions=True)
        async with budget.hold(100):
            assert budget.used == 100
        assert budget.used == 0

    asyncio.run(scenario())
