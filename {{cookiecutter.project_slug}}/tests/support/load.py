"""Requests that go on and on in threads, while something happens to the database."""

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
class Answer:
    """What a create got, and from when until when it took, by `time.monotonic`."""

    began: float
    ended: float
    code: str
    response: TestResponse

    @property
    def status(self) -> int:
        """The status of the answer."""
        return self.response.status_code


@dataclass
class Load:
    """The answers so far, of each thread apart."""

    threads: list[list[Answer]] = field(default_factory=list)

    @property
    def answers(self) -> list[Answer]:
        """All answers."""
        return [answer for answers in self.threads for answer in answers]

    @property
    def created(self) -> set[str]:
        """The codes of all that was answered with 201."""
        return {answer.code for answer in self.answers if answer.status == 201}

    def wait_for(self, status: int, after: float = 0) -> None:
        """Wait until each thread got this status for a request that began after this moment."""
        wait_until(lambda: all(_has(list(answers), status, after) for answers in self.threads))

    def begun_after(self, moment: float) -> list[Answer]:
        """The answers of requests that began after this moment."""
        return [answer for answer in self.answers if answer.began > moment]


@contextmanager
def creating(app: Flask, threads: int) -> Iterator[Load]:
    """Create rows in so many threads, each as fast as it can, while the block runs."""
    load = Load([[] for _ in range(threads)])
    stop = Event()

    def send(number: int) -> None:
        client = app.test_client()
        for time_of_it in count():
            if stop.is_set():
                return
            code = f"{number}-{time_of_it}"
            began = time.monotonic()
            response = client.post(URL, json=new_body(code=code))
            load.threads[number].append(Answer(began, time.monotonic(), code, response))
            stop.wait(PAUSE_SECONDS)

    with ThreadPoolExecutor(threads) as pool:
        running = [pool.submit(send, number) for number in range(threads)]
        try:
            yield load
        finally:
            stop.set()
            for each in running:
                each.result(SECONDS)


def _has(answers: list[Answer], status: int, after: float) -> bool:
    return any(answer.status == status and answer.began > after for answer in answers)
