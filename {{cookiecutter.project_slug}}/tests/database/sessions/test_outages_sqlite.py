"""A database that another program keeps locked: the closest that a file comes to an outage.

A backup or a long migration does it. Writes wait for the statement limit and get 503, reads work,
and nothing has to be restarted when the lock is released. (A file that is moved or deleted still
exists for open connections, so a request does not notice.)
"""

import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from {{ cookiecutter.__package }}.database.hang_guard import PAUSE_SECONDS

from ...support.api import URL, new_body
from ...support.applications import MakeApp
from ...support.leaks import assert_nothing_leaked, engine_of
from ...support.load import creating
from ...support.probe import Probe
from ...support.problems import problem

LIMIT_SECONDS = 0.1


@contextmanager
def locked(file: str) -> Iterator[None]:
    """Hold the write lock of the database file, as another program would."""
    with closing(sqlite3.connect(file, isolation_level=None, timeout=30)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("ROLLBACK")


def test_lock_of_another_program_gets_503_only_while_it_lasts(make_app: MakeApp) -> None:
    """No row whose create got 201 is lost."""
    app = make_app(statement_timeout_seconds=LIMIT_SECONDS)
    file = str(engine_of(app).url.database)
    # One thread: several would wait for each other too, on a busy machine beyond the timeout.
    with creating(app, threads=1) as load:
        load.wait_for(201)
        with locked(file):
            load.wait_for(503)
        released = time.monotonic()
        load.wait_for(201, after=released)

    assert {exchange.status for exchange in load.exchanges} == {201, 503}
    for exchange in load.exchanges:
        if exchange.status == 503:
            problem(exchange.response, 503)
            assert exchange.response.headers["Retry-After"] == "1"
            assert exchange.ended - exchange.started >= LIMIT_SECONDS
    assert {exchange.status for exchange in load.started_after(released)} == {201}
    with Session(engine_of(app)) as session:
        assert load.created == set(session.scalars(select(Probe.code)))
    assert_nothing_leaked(app)


def test_reads_work_while_another_program_holds_the_lock(make_app: MakeApp) -> None:
    app = make_app(statement_timeout_seconds=LIMIT_SECONDS)
    client = app.test_client()
    with locked(str(engine_of(app).url.database)):
        assert client.get(URL).status_code == 200
        assert client.get("/readyz").status_code == 200
        problem(client.post(URL, json=new_body()), 503)
    assert client.post(URL, json=new_body()).status_code == 201


@pytest.mark.slow
def test_a_writer_does_not_wait_after_one_that_waited_in_vain(make_app: MakeApp) -> None:
    """Callers that wait for a thread would wait again, each for the whole limit."""
    limit_seconds = 1.5
    app = make_app(statement_timeout_seconds=limit_seconds)
    client = app.test_client()
    with locked(str(engine_of(app).url.database)):
        problem(client.post(URL, json=new_body()), 503)
        began = time.monotonic()
        problem(client.post(URL, json=new_body()), 503)
        assert time.monotonic() - began < limit_seconds
        assert client.get(URL).status_code == 200
    time.sleep(PAUSE_SECONDS)
    assert client.post(URL, json=new_body()).status_code == 201
