"""Two requests that overlap exactly: on a server both read before either writes."""

from decimal import Decimal
from threading import Barrier
from uuid import UUID

import pytest
from flask import Flask
from sqlalchemy import Engine, event
from sqlalchemy.orm import Session

from {{ cookiecutter.__package }}.database import db

from ...support.api import ANY, URL
from ...support.applications import MakeApp
from ...support.concurrency import SECONDS, in_threads
from ...support.leaks import assert_nothing_leaked
from ...support.probe import Probe, ProbeFactory

VERSION_1 = {"If-Match": '"1"'}


@pytest.fixture
def app(make_app: MakeApp) -> Flask:
    """An application in which each write waits until a second request is about to write."""
    app = make_app(threads=2, pool_timeout_seconds=30.0)
    barrier = Barrier(2, timeout=SECONDS)
    with app.app_context():
        event.listen(db.sessionmaker, "before_flush", lambda *_: barrier.wait())
    return app


@pytest.fixture
def row_id(session: Session) -> UUID:
    row_id = ProbeFactory.create().id
    session.commit()
    return row_id


def test_one_of_two_concurrent_patches_wins(app: Flask, committed_db: Engine, row_id: UUID) -> None:
    def write(number: int) -> int:
        change = {"name": f"by {number}"}
        client = app.test_client()
        return client.patch(f"{URL}/{row_id}", json=change, headers=VERSION_1).status_code

    statuses = in_threads(write, 2)
    assert sorted(statuses) == [200, 412]
    assert_nothing_leaked(app)
    with Session(committed_db) as session:
        assert session.get_one(Probe, row_id).name == f"by {statuses.index(200)}"


def test_one_of_a_concurrent_patch_and_delete_wins(
    app: Flask, committed_db: Engine, row_id: UUID
) -> None:
    def write(number: int) -> int:
        client = app.test_client()
        if number:
            return client.delete(f"{URL}/{row_id}", headers=VERSION_1).status_code
        change = {"name": "changed"}
        return client.patch(f"{URL}/{row_id}", json=change, headers=VERSION_1).status_code

    patched, deleted = in_threads(write, 2)
    assert (patched, deleted) in [(200, 412), (412, 204)]
    with Session(committed_db) as session:
        assert (session.get(Probe, row_id) is None) == (deleted == 204)


@pytest.fixture
def reading_app(make_app: MakeApp) -> Flask:
    """An application in which each request waits until a second one has read its row."""
    app = make_app(threads=2, pool_timeout_seconds=30.0)
    barrier = Barrier(2, timeout=SECONDS)
    with app.app_context():
        event.listen(db.sessionmaker, "loaded_as_persistent", lambda *_: barrier.wait())
    return app


def test_concurrent_patches_of_any_version_are_all_made(
    reading_app: Flask, committed_db: Engine, row_id: UUID
) -> None:
    def write(number: int) -> tuple[int, str]:
        change = {"name": "changed"} if number else {"price": "7.50"}
        response = reading_app.test_client().patch(f"{URL}/{row_id}", json=change, headers=ANY)
        return response.status_code, response.headers["ETag"]

    assert sorted(in_threads(write, 2)) == [(200, '"2"'), (200, '"3"')]
    with Session(committed_db) as session:
        row = session.get_one(Probe, row_id)
        assert (row.name, row.price, row.version) == ("changed", Decimal("7.50"), 3)


def test_a_row_of_any_version_that_is_deleted_meanwhile_is_gone(
    reading_app: Flask, row_id: UUID
) -> None:
    def delete(_number: int) -> int:
        return reading_app.test_client().delete(f"{URL}/{row_id}", headers=ANY).status_code

    assert sorted(in_threads(delete, 2)) == [204, 404]
