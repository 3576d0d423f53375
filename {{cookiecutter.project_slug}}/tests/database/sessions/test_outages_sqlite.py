"""A database that another program keeps locked: the nearest to an outage that a file knows.

A backup or a long migration does it. Who writes waits for the busy timeout and gets 503, who reads
goes on, and nothing has to be restarted when the lock is gone. (A file that is moved or deleted is
still there for connections that are open, so this is no outage that a request could see.)
"""

import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from {{ cookiecutter.__package }}.database import sqlite

from ...support.api import URL, new_body
from ...support.applications import MakeApp
from ...support.leaks import assert_at_rest, engine_of
from ...support.load import creating
from ...support.probe import Probe
from ...support.problems import problem

BUSY_TIMEOUT_MS = 100


@contextmanager
def locked(file: str) -> Iterator[None]:
    """Keep the write lock of the database file, as another program would."""
    with closing(sqlite3.connect(file, isolation_level=None, timeout=30)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("ROLLBACK")


@pytest.fixture(autouse=True)
def _connection_with_timeout(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite, "BUSY_TIMEOUT_MS", BUSY_TIMEOUT_MS)


def test_lock_of_another_program_gets_503_only_while_it_lasts(make_app: MakeApp) -> None:
    """And no row is missing that was answered with 201."""
    app = make_app()
    file = str(engine_of(app).url.database)
    # One thread: several would wait for each other too, on a busy machine longer than they are let.
    with creating(app, threads=1) as load:
        load.wait_for(201)
        with locked(file):
            load.wait_for(503)
        back = time.monotonic()
        load.wait_for(201, after=back)

    assert {answer.status for answer in load.answers} == {201, 503}
    for answer in load.answers:
        if answer.status == 503:
            problem(answer.response, 503)
            assert answer.response.headers["Retry-After"] == "1"
            assert answer.ended - answer.began >= BUSY_TIMEOUT_MS / 1000
    assert {answer.status for answer in load.begun_after(back)} == {201}
    with Session(engine_of(app)) as session:
        assert load.created == set(session.scalars(select(Probe.code)))
    assert_at_rest(app)


def test_reads_work_while_another_program_holds_the_lock(make_app: MakeApp) -> None:
    app = make_app()
    client = app.test_client()
    with locked(str(engine_of(app).url.database)):
        assert client.get(URL).status_code == 200
        assert client.get("/readyz").status_code == 200
        problem(client.post(URL, json=new_body()), 503)
    assert client.post(URL, json=new_body()).status_code == 201
