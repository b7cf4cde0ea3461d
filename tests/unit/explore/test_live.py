"""Work that follows a burst of changes."""

import asyncio

from fleetslo.explore.live import Debounced


def test_without_an_event_loop_the_work_is_done_at_once() -> None:
    done: list[str] = []
    follow = Debounced(lambda: done.append("work"), announce=lambda: done.append("soon"))
    follow()
    follow("a change")
    assert done == ["soon", "work", "soon", "work"]


def test_in_an_event_loop_a_burst_is_one_piece_of_work() -> None:
    done: list[str] = []

    async def burst() -> None:
        follow = Debounced(
            lambda: done.append("work"), announce=lambda: done.append("soon"), pause_s=0.01
        )
        for _ in range(5):
            follow()
        assert done == ["soon"] * 5
        await asyncio.sleep(0.1)
        assert done == ["soon"] * 5 + ["work"]
        follow()
        await asyncio.sleep(0.1)

    asyncio.run(burst())
    assert done.count("work") == 2
