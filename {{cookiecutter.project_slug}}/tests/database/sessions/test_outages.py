"""A database that cannot be had just now is answered with 503, in time, and only so long."""

import time
from concurrent.futures import ThreadPoolExecutor
from threading import Event

from {{ cookiecutter.__package }}.database import db

from ...support.api import URL
from ...support.concurrency import SECONDS
from ...support.leaks import assert_at_rest
from ...support.problems import problem
from .conftest import Serve

BOUND = 0.3


def test_exhausted_pool_gets_503_within_its_timeout(serve: Serve) -> None:
    taken, free = Event(), Event()

    def view() -> str:
        db.session.connection()
        taken.set()
        free.wait(SECONDS)
        return "done"

    client = serve(view, pool_timeout_seconds=BOUND)
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(client.get, "/view")
        try:
            assert taken.wait(SECONDS)
            began = time.monotonic()
            response = pool.submit(client.get, URL).result(timeout=BOUND + 15)
            took = time.monotonic() - began
        finally:
            free.set()
        assert first.result(SECONDS).status_code == 200
    problem(response, 503)
    assert response.headers["Retry-After"] == "1"
    assert took >= BOUND


def test_pool_recovers_after_it_was_exhausted(serve: Serve) -> None:
    def view() -> str:
        with db.sessionmaker.begin() as other:
            other.connection()
            return str(client.get(URL).status_code)

    client = serve(view)
    assert client.get("/view").text == "503"
    assert client.get(URL).status_code == 200
    assert_at_rest(client.application)
