from datetime import UTC, datetime
from uuid import uuid4

import pytest
import structlog
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from {{ cookiecutter.__package }}.database import db
from {{ cookiecutter.__package }}.jobs.jobs import LONGEST_ARGUMENTS, enqueue, task

from ..support.api import URL, create, new_body
from ..support.applications import MakeApp
from ..support.problems import problem
from .support.background import arguments_of, ask, do_all, idle, jobs_in

pytestmark = pytest.mark.usefixtures("_own_tasks")

LATER = "2099-01-01T00:00:00Z"
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


# What a request asks for


def test_a_request_asks_for_a_job_with_its_ids(client: FlaskClient, session: Session) -> None:
    headers = {"X-Request-ID": "mine", "traceparent": f"00-{TRACE}-00f067aa0ba902b7-01"}

    client.post(URL, json=new_body(available_at=LATER), headers=headers)

    [job] = jobs_in(session)
    assert (job.request_id, job.trace_id, job.attempts, job.error) == ("mine", TRACE, 0, None)
    assert job.due_at == datetime(2099, 1, 1, tzinfo=UTC)


def test_a_request_that_fails_asks_for_nothing(client: FlaskClient, session: Session) -> None:
    create(client)

    problem(client.post(URL, json=new_body(available_at=LATER)), 409)

    assert jobs_in(session) == []


def test_a_request_that_is_sent_again_asks_once(client: FlaskClient, session: Session) -> None:
    for _ in range(2):
        headers = {"Idempotency-Key": "a-key"}
        response = client.post(URL, json=new_body(available_at=LATER), headers=headers)
        assert response.status_code == 201

    assert len(jobs_in(session)) == 1


def test_a_request_needs_no_broker(make_app: MakeApp, committed_db: Engine) -> None:
    app = make_app(broker_url="redis://127.0.0.1:1/0")

    assert app.test_client().post(URL, json=new_body(available_at=LATER)).status_code == 201

    assert len(jobs_in(committed_db)) == 1


# With the transaction, or not at all


def test_a_job_is_there_with_the_commit(make_app: MakeApp, committed_db: Engine) -> None:
    with make_app().app_context():
        job_id = enqueue(db.session(), idle, None, text="a text")
        db.session.commit()

    [job] = jobs_in(committed_db)
    assert (job.id, job.task) == (job_id, "tests.idle")
    assert arguments_of(job) == {"text": "a text"}


def test_a_job_without_a_commit_never_was(make_app: MakeApp, committed_db: Engine) -> None:
    app = make_app()
    with app.app_context():
        enqueue(db.session(), idle)
        db.session.flush()
    with app.app_context():
        enqueue(db.session(), idle)
        db.session.rollback()
        db.session.commit()

    assert jobs_in(committed_db) == []
    assert do_all(app) == 0


def test_a_job_of_a_savepoint_that_is_rolled_back_never_was(
    make_app: MakeApp, committed_db: Engine
) -> None:
    with make_app().app_context():
        kept = enqueue(db.session(), idle)
        savepoint = db.session.begin_nested()
        enqueue(db.session(), idle)
        savepoint.rollback()
        db.session.commit()

    assert [job.id for job in jobs_in(committed_db)] == [kept]


def test_a_job_of_a_savepoint_is_not_there_before_the_whole_is_committed(
    make_app: MakeApp, committed_db: Engine
) -> None:
    app = make_app()
    with app.app_context():
        with db.session.begin_nested():
            enqueue(db.session(), idle)
        db.session.rollback()

    assert jobs_in(committed_db) == []
    assert do_all(app) == 0


# What a job is given


def test_a_job_at_no_request_has_no_ids(make_app: MakeApp, committed_db: Engine) -> None:
    ask(make_app(), idle)

    [job] = jobs_in(committed_db)
    assert (job.request_id, job.trace_id) == (None, None)


def test_a_job_that_a_job_asks_for_has_the_ids_of_the_request(
    make_app: MakeApp, committed_db: Engine
) -> None:
    @task("tests.further")
    def further(session: Session) -> None:
        enqueue(session, idle)

    app = make_app()
    with structlog.contextvars.bound_contextvars(request_id="mine", trace_id=TRACE):
        ask(app, further)
    assert do_all(app) == 1

    [job] = jobs_in(committed_db)
    assert (job.task, job.request_id, job.trace_id) == ("tests.idle", "mine", TRACE)


def test_arguments_are_given_by_name(app: Flask, session: Session) -> None:
    with app.app_context(), pytest.raises(TypeError, match="by name"):
        enqueue(session, idle, None, "a text")  # type: ignore[call-arg]


def test_arguments_are_json(app: Flask, session: Session) -> None:
    with app.app_context(), pytest.raises(TypeError, match="not JSON serializable"):
        enqueue(session, idle, None, text=uuid4())  # type: ignore[arg-type]


def test_arguments_are_short(app: Flask, session: Session) -> None:
    room = LONGEST_ARGUMENTS - len('{"text":""}')
    with app.app_context():
        enqueue(session, idle, None, text="x" * room)
        with pytest.raises(ValueError, match="give it ids"):
            enqueue(session, idle, None, text="x" * (room + 1))


def test_two_tasks_cannot_have_one_name() -> None:
    with pytest.raises(ValueError, match=r"two tasks named 'tests\.idle'"):
        task("tests.idle")(lambda _session: None)
