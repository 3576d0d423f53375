"""A constraint that SQLite checks only at the commit."""

from flask import Flask
from sqlalchemy import Engine, event

from ...support.api import MISSING_URL, URL, new_body
from ...support.applications import MakeApp
from ...support.leaks import assert_nothing_leaked, count_rows, engine_of
from ...support.problems import problem


def check_foreign_keys_at_commit(app: Flask) -> None:
    event.listen(
        engine_of(app),
        "begin",
        lambda connection: connection.exec_driver_sql("PRAGMA defer_foreign_keys=ON"),
    )


def test_create_that_violates_a_constraint_at_commit_gets_409(
    make_app: MakeApp, committed_db: Engine
) -> None:
    app = make_app()
    check_foreign_keys_at_commit(app)
    orphan = new_body(parent_id=MISSING_URL.rsplit("/", 1)[1])
    problem(app.test_client().post(URL, json=orphan), 409)
    assert_nothing_leaked(app)
    assert count_rows(committed_db) == 0


def test_create_works_after_a_constraint_was_violated_at_commit(make_app: MakeApp) -> None:
    """SQLite leaves a transaction open when its COMMIT fails."""
    app = make_app()
    check_foreign_keys_at_commit(app)
    client = app.test_client()
    client.post(URL, json=new_body(parent_id=MISSING_URL.rsplit("/", 1)[1]))
    assert client.post(URL, json=new_body()).status_code == 201
