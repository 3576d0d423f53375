import re

import time_machine
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select
from sqlalchemy.orm import Session

from {{ cookiecutter.__package }}.database import Base, db
from {{ cookiecutter.__package }}.web.idempotency import IdempotencyKey

from .support.api import URL, new_body
from .support.applications import MakeApp
from .support.leaks import OUT_OF_REACH, put_out_of_reach


def test_housekeeping_deletes_expired_rows(
    app: Flask, client: FlaskClient, session: Session
) -> None:
    for number, day in enumerate(("2030-01-01", "2030-01-02", "2030-01-03")):
        with time_machine.travel(f"{day}T00:00:00Z", tick=False):
            key = {"Idempotency-Key": f"key-{number}"}
            client.post(URL, json=new_body(code=f"A-{number}"), headers=key)

    with time_machine.travel("2030-01-03T12:00:00Z", tick=False):
        done = app.test_cli_runner().invoke(args=["housekeeping"])

    assert done.exit_code == 0
    assert done.output.startswith("Deleted: 2 idempotency keys")
    assert session.query(IdempotencyKey).count() == 1


def test_housekeeping_without_the_database_is_one_sentence(make_app: MakeApp) -> None:
    app = make_app()
    put_out_of_reach(app)

    done = app.test_cli_runner().invoke(args=["housekeeping"])

    assert done.exit_code == 1
    assert done.output == OUT_OF_REACH


def test_commands_are_listed(app: Flask) -> None:
    listed = app.test_cli_runner().invoke(args=["--help"]).output

    assert "housekeeping" in listed
    assert re.search(r"^  db +The database's schema\.$", listed, re.MULTILINE)


def test_shell_knows_the_database_and_every_model(app: Flask) -> None:
    names = app.make_shell_context()

    assert (names["app"], names["db"], names["select"]) == (app, db, select)
    assert names["IdempotencyKey"] is IdempotencyKey
    models = {mapper.class_ for mapper in Base.registry.mappers}
    assert models <= {value for value in names.values() if isinstance(value, type)}
