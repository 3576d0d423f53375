"""Run work in threads at the same time, and wait for conditions instead of sleeping."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import TypeVar

SECONDS = 120
"""The timeout of everything here: what takes longer hangs, and fails its test."""

Result = TypeVar("Result")


def in_threads(work: Callable[[int], Result], threads: int) -> list[Result]:
    """Call `work` with its number in each of these threads, which start at the same time.

    Returns their results in order. Raises the first error of a thread.
    """
    barrier = Barrier(threads, timeout=SECONDS)

    def start(number: int) -> Result:
        barrier.wait()
        return work(number)

    with ThreadPoolExecutor(threads) as pool:
        calls = [pool.submit(start, number) for number in range(threads)]
        return [call.result(SECONDS) for call in calls]


def wait_until(condition: Callable[[], object], seconds: float = SECONDS) -> None:
    """Wait until the condition is true, and fail when it takes too long."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "the condition did not become true in time"
        time.sleep(0.02)
