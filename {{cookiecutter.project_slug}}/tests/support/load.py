"""Threads that send requests all the time, while something happens to the database."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from threading import Event

from flask import Flask
from werkzeug.test import TestResponse

from .api import URL, new_body
from .concurrency import SECONDS, wait_until

PAUSE_SECONDS = 0.002


@dataclass(frozen=True)
class Exchange:
    """A create and its response, with its start and end by `time.monotonic`."""

    started: float
    ended: float
    code: str
    response: TestResponse

    @property
    def status(self) -> int:
        """The status of the response."""
        return self.response.status_code


@dataclass
class Load:
    """The exchanges of each thread so far."""

    threads: list[list[Exchange]] = field(default_factory=list)

    @property
    def exchanges(self) -> list[Exchange]:
        """The exchanges of all threads."""
        return [exchange for thread in self.threads for exchange in thread]

    @property
    def created(self) -> set[str]:
        """The codes of all rows whose create got 201."""
        return {exchange.code for exchange in self.exchanges if exchange.status == 201}

    def wait_for(self, status: int, after: float = 0) -> None:
        """Wait until each thread got this status for a request that started after this time."""
        wait_until(lambda: all(_has(list(thread), status, after) for thread in self.threads))

    def started_after(self, moment: float) -> list[Exchange]:
        """Return the exchanges that started after this time."""
        return [exchange for exchange in self.exchanges if exchange.started > moment]


@contextmanager
def creating(app: Flask, threads: int) -> Iterator[Load]:
    """Create rows in this number of threads, each as fast as it can, while the block runs."""
    load = Load([[] for _ in range(threads)])
    stop = Event()

    def send(number: int) -> None:
        client = app.test_client()
        for index in count():
            if stop.is_set():
                return
            code = f"{number}-{index}"
            started = time.monotonic()
            response = client.post(URL, json=new_body(code=code))
            load.threads[number].append(Exchange(started, time.monotonic(), code, response))
            stop.wait(PAUSE_SECONDS)

    with ThreadPoolExecutor(threads) as pool:
        running = [pool.submit(send, number) for number in range(threads)]
        try:
            yield load
        finally:
            stop.set()
            for each in running:
                each.result(SECONDS)


def _has(exchanges: list[Exchange], status: int, after: float) -> bool:
    return any(each.status == status and each.started > after for each in exchanges)
