"""A request without a free connection gets 503 within the timeout, and only while that lasts."""

import time
from concurrent.futures import ThreadPoolExecutor
from threading import Event

from {{ cookiecutter.__package }}.database import db

from ...support.api import URL
from ...support.concurrency import SECONDS
from ...support.leaks import assert_nothing_leaked
from ...support.problems import problem
from .conftest import Serve

TIMEOUT_SECONDS = 0.3


def test_exhausted_pool_gets_503_within_its_timeout(serve: Serve) -> None:
    taken, release = Event(), Event()

    def view() -> str:
        db.session.connection()
        taken.set()
        release.wait(SECONDS)
        return "done"

    client = serve(view, pool_timeout_seconds=TIMEOUT_SECONDS)
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(client.get, "/view")
        try:
            assert taken.wait(SECONDS)
            started = time.monotonic()
            response = pool.submit(client.get, URL).result(timeout=TIMEOUT_SECONDS + 15)
            elapsed = time.monotonic() - started
        finally:
            release.set()
        assert first.result(SECONDS).status_code == 200
    problem(response, 503)
    assert response.headers["Retry-After"] == "1"
    assert elapsed >= TIMEOUT_SECONDS


def test_pool_recovers_after_it_was_exhausted(serve: Serve) -> None:
    def view() -> str:
        with db.sessionmaker.begin() as other:
            other.connection()
            return str(client.get(URL).status_code)

    client = serve(view)
    assert client.get("/view").text == "503"
    assert client.get(URL).status_code == 200
    assert_nothing_leaked(client.application)
