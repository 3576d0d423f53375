"""Writers lose nothing, one of several changes to a version wins, and readers do not wait."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from itertools import chain
from threading import Event
from uuid import UUID

import pytest
from flask import Flask
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from {{ cookiecutter.__package }}.database import db
from {{ cookiecutter.__package }}.settings import Settings

from ...support.api import ANY, URL, new_body
from ...support.applications import MakeApp
from ...support.concurrency import SECONDS, in_threads
from ...support.leaks import assert_nothing_leaked, count_rows
from ...support.probe import Probe, ProbeFactory
from ...support.processes import in_processes

WRITERS = 16
PROCESSES = 2
TIMES = 5
CLIENTS = 4


@pytest.fixture
def app(make_app: MakeApp) -> Flask:
    """An application with a thread for each writer."""
    return make_app(threads=WRITERS, pool_timeout_seconds=30.0)


@pytest.fixture
def row_id(session: Session) -> UUID:
    """The id of a committed row with the price 0."""
    row_id = ProbeFactory.create(price=Decimal(0)).id
    session.commit()
    return row_id


def stored(engine: Engine, row_id: UUID) -> Probe:
    with Session(engine) as session:
        return session.get_one(Probe, row_id)


# Sixteen writers


def test_threads_lose_no_row(app: Flask, committed_db: Engine) -> None:
    def write(number: int) -> list[int]:
        client = app.test_client()
        bodies = [new_body(code=f"{number}-{time}") for time in range(TIMES)]
        return [client.post(URL, json=body).status_code for body in bodies]

    statuses = Counter(chain.from_iterable(in_threads(write, WRITERS)))
    assert statuses == {201: WRITERS * TIMES}
    assert count_rows(committed_db) == WRITERS * TIMES
    assert_nothing_leaked(app)


def test_threads_lose_no_update(app: Flask, committed_db: Engine, row_id: UUID) -> None:
    """Each thread reads, adds and writes; with FOR UPDATE only one at a time reads the row."""

    def write(_number: int) -> None:
        for _ in range(TIMES):
            with app.app_context():
                query = select(Probe).where(Probe.id == row_id).with_for_update()
                row = db.session.scalars(query).one()
                row.price += 1
                db.session.commit()

    in_threads(write, WRITERS)
    assert stored(committed_db, row_id).price == WRITERS * TIMES


def test_clients_lose_no_change_with_a_200_response(
    app: Flask, committed_db: Engine, row_id: UUID
) -> None:
    """Each client reads the row, changes it, and starts again after a 412."""

    def write(_number: int) -> list[int]:
        client = app.test_client()
        statuses: list[int] = []
        while statuses.count(200) < 2:
            read = client.get(f"{URL}/{row_id}")
            headers = {"If-Match": read.headers["ETag"]}
            price = str(Decimal(read.get_json()["price"]) + 1)
            changed = client.patch(f"{URL}/{row_id}", json={"price": price}, headers=headers)
            statuses.append(changed.status_code)
        return statuses

    statuses = Counter(chain.from_iterable(in_threads(write, CLIENTS)))
    assert statuses.keys() <= {200, 412}
    assert stored(committed_db, row_id).price == 2 * CLIENTS


@pytest.mark.slow
def test_processes_lose_no_row_and_no_update(
    settings: Settings, committed_db: Engine, row_id: UUID
) -> None:
    threads = WRITERS // PROCESSES
    in_processes("tests.support.writer", settings, PROCESSES, str(row_id), str(threads), str(TIMES))
    assert stored(committed_db, row_id).price == WRITERS * TIMES
    assert count_rows(committed_db) == 1 + WRITERS * TIMES


# Changes to one version


def test_one_of_many_concurrent_patches_wins(
    app: Flask, committed_db: Engine, row_id: UUID
) -> None:
    def write(number: int) -> int:
        return (
            app.test_client()
            .patch(f"{URL}/{row_id}", json={"name": f"by {number}"}, headers={"If-Match": '"1"'})
            .status_code
        )

    statuses = in_threads(write, WRITERS)
    assert Counter(statuses) == {200: 1, 412: WRITERS - 1}
    assert stored(committed_db, row_id).name == f"by {statuses.index(200)}"
    assert stored(committed_db, row_id).version == 2


def test_many_concurrent_patches_of_any_version_are_all_made(
    app: Flask, committed_db: Engine, row_id: UUID
) -> None:
    def write(number: int) -> int:
        change = {"name": f"by {number}"}
        return app.test_client().patch(f"{URL}/{row_id}", json=change, headers=ANY).status_code

    assert in_threads(write, WRITERS) == [200] * WRITERS
    assert stored(committed_db, row_id).version == 1 + WRITERS


def test_one_of_many_concurrent_patches_and_a_delete_wins(app: Flask, row_id: UUID) -> None:
    def write(number: int) -> int:
        client = app.test_client()
        headers = {"If-Match": '"1"'}
        if number == 0:
            return client.delete(f"{URL}/{row_id}", headers=headers).status_code
        return client.patch(f"{URL}/{row_id}", json={"name": "x"}, headers=headers).status_code

    statuses = Counter(in_threads(write, WRITERS))
    assert statuses[200] + statuses[204] == 1
    assert statuses.keys() <= {200, 204, 404, 412}


# Readers and a writer


def test_reader_is_not_blocked_by_a_writer(app: Flask, row_id: UUID) -> None:
    """The reader sees what was committed before."""
    written, read = Event(), Event()

    def write() -> None:
        with app.app_context():
            db.session.add(ProbeFactory.build())
            db.session.get_one(Probe, row_id).name = "not committed"
            db.session.flush()
            written.set()
            read.wait(SECONDS)

    with ThreadPoolExecutor(2) as pool:
        writer = pool.submit(write)
        try:
            assert written.wait(SECONDS)
            reader = pool.submit(app.test_client().get, URL)
            response = reader.result(timeout=15)
        finally:
            read.set()
        writer.result(SECONDS)
    assert [row["id"] for row in response.get_json()["items"]] == [str(row_id)]
    assert response.get_json()["items"][0]["name"] != "not committed"


@pytest.mark.usefixtures("row_id")
def test_writer_is_not_blocked_by_a_reader(app: Flask) -> None:
    read, written = Event(), Event()

    def view() -> str:
        names = db.session.scalars(select(Probe.name)).all()
        read.set()
        written.wait(SECONDS)
        return names[0]

    app.add_url_rule("/view", view_func=view)
    with ThreadPoolExecutor(2) as pool:
        reader = pool.submit(app.test_client().get, "/view")
        try:
            assert read.wait(SECONDS)
            writer = pool.submit(lambda: app.test_client().post(URL, json=new_body()))
            assert writer.result(timeout=15).status_code == 201
        finally:
            written.set()
        assert reader.result(SECONDS).status_code == 200
