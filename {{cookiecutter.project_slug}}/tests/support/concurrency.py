"""Work at the same time, in threads, without a sleep that hopes for the best."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import TypeVar

SECONDS = 120
"""How long anything here may take; what takes longer hangs, and fails."""

Result = TypeVar("Result")


def in_threads(work: Callable[[int], Result], threads: int) -> list[Result]:
    """Call `work` in so many threads, begun together, with the thread's number.

    Returns what they returned, in their order; raises the first error of one.
    """
    together = Barrier(threads, timeout=SECONDS)

    def begin(number: int) -> Result:
        together.wait()
        return work(number)

    with ThreadPoolExecutor(threads) as pool:
        calls = [pool.submit(begin, number) for number in range(threads)]
        return [call.result(SECONDS) for call in calls]


def wait_until(true: Callable[[], object], seconds: float = SECONDS) -> None:
    """Wait until this is true; fails if it takes too long."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it did not come true in time"
        time.sleep(0.02)
