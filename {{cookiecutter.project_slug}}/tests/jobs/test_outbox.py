from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
import structlog
from celery import chain, group
from celery.exceptions import CDeprecationWarning
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from {{ cookiecutter.__package }}.database import db
from {{ cookiecutter.__package }}.jobs import enqueue
from {{ cookiecutter.__package }}.jobs.models import JobState, database_time
from {{ cookiecutter.__package }}.jobs.outbox import MAX_PAYLOAD_LENGTH

from ..support.api import URL, create, new_body
from ..support.applications import MakeApp
from ..support.problems import problem
from .support.background import (
    BROKER_IS_DOWN,
    ask,
    celery_json,
    idle,
    jobs_in,
    run_all,
    seconds_between,
    task_of,
)

LATER = "2099-01-01T00:00:00Z"
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


# A request that enqueues


def test_a_receipt_has_the_ids_of_its_request(client: FlaskClient, session: Session) -> None:
    headers = {"X-Request-ID": "mine", "traceparent": f"00-{TRACE}-00f067aa0ba902b7-01"}

    client.post(URL, json=new_body(available_at=LATER), headers=headers)

    [job] = jobs_in(session)
    assert (job.request_id, job.trace_id, job.state) == ("mine", TRACE, JobState.WAITING)
    assert job.due_at == datetime(2099, 1, 1, tzinfo=UTC)


def test_a_request_that_fails_leaves_no_receipt(client: FlaskClient, session: Session) -> None:
    create(client)

    problem(client.post(URL, json=new_body(available_at=LATER)), 409)

    assert jobs_in(session) == []


def test_a_request_that_is_sent_again_enqueues_once(client: FlaskClient, session: Session) -> None:
    for _ in range(2):
        headers = {"Idempotency-Key": "a-key"}
        response = client.post(URL, json=new_body(available_at=LATER), headers=headers)
        assert response.status_code == 201

    assert len(jobs_in(session)) == 1


def test_a_request_needs_no_broker(make_app: MakeApp, committed_db: Engine) -> None:
    app = make_app(broker_url=BROKER_IS_DOWN)

    assert app.test_client().post(URL, json=new_body(available_at=LATER)).status_code == 201

    assert len(jobs_in(committed_db)) == 1


# With the transaction, or not at all


def test_a_receipt_is_there_with_the_commit(make_app: MakeApp, committed_db: Engine) -> None:
    app = make_app()
    with app.app_context():
        job_id = enqueue(db.session(), idle.s(text="two").set(priority=3))
        now = database_time(db.session())
        db.session.commit()

    [job] = jobs_in(committed_db)
    assert (job.id, job.task) == (job_id, "tests.idle")
    assert job.queue == "{{ cookiecutter.__package }}"
    assert seconds_between(job.due_at, now) <= 2
    assert celery_json(job) == [[], {"text": "two"}, {"priority": 3}]


def test_a_receipt_without_a_commit_never_was(make_app: MakeApp, committed_db: Engine) -> None:
    app = make_app()
    with app.app_context():
        enqueue(db.session(), idle.s())
        db.session.flush()
    with app.app_context():
        enqueue(db.session(), idle.s())
        db.session.rollback()
        db.session.commit()

    assert jobs_in(committed_db) == []
    assert run_all(app) == []


def test_a_receipt_of_a_savepoint_that_is_rolled_back_never_was(
    make_app: MakeApp, committed_db: Engine
) -> None:
    with make_app().app_context():
        kept = enqueue(db.session(), idle.s())
        savepoint = db.session.begin_nested()
        enqueue(db.session(), idle.s())
        savepoint.rollback()
        db.session.commit()

    assert [job.id for job in jobs_in(committed_db)] == [kept]


def test_a_receipt_of_a_savepoint_is_not_there_before_the_whole_is_committed(
    make_app: MakeApp, committed_db: Engine
) -> None:
    app = make_app()
    with app.app_context():
        with db.session.begin_nested():
            enqueue(db.session(), idle.s())
        db.session.rollback()

    assert jobs_in(committed_db) == []


# Celery's options


def test_a_countdown_counts_by_the_clock_of_the_database(
    make_app: MakeApp, committed_db: Engine
) -> None:
    app = make_app()
    ask(app, idle.s().set(countdown=600))

    [job] = jobs_in(committed_db)
    with app.app_context():
        due_in = job.due_at - database_time(db.session())
    assert timedelta(seconds=590) < due_in <= timedelta(seconds=601)


def test_the_queue_is_chosen_as_celery_does(make_app: MakeApp, committed_db: Engine) -> None:
    app = make_app(celery='{"task_routes": {"tests.routed": "reports"}}')

    def routed() -> None: ...
    def own() -> None: ...

    ask(app, task_of(app, routed).s())
    ask(app, task_of(app, routed).s().set(queue="urgent"))
    with pytest.warns(CDeprecationWarning, match="task_routes"):
        ask(app, task_of(app, own, queue="mail").s())

    assert [job.queue for job in jobs_in(committed_db)] == ["reports", "urgent", "mail"]


@pytest.mark.filterwarnings("ignore::celery.exceptions.CDeprecationWarning")
def test_options_of_the_task_itself_count_as_in_a_call(
    make_app: MakeApp, committed_db: Engine
) -> None:
    def special() -> None: ...

    options = {"priority": 9, "serializer": "pickle", "compression": "gzip", "delivery_mode": 1}
    app = make_app()
    task = task_of(app, special, **options)
    ask(app, task.s())
    ask(app, task.s().set(priority=0))

    first, second = jobs_in(committed_db)
    assert celery_json(first)[2] == options
    assert celery_json(second)[2] == options | {"priority": 0}


def test_a_task_expires_by_the_time_when_it_was_asked_for(
    make_app: MakeApp, committed_db: Engine
) -> None:
    def hasty() -> None: ...

    app = make_app()
    ask(app, task_of(app, hasty, expires=1000).s())
    ask(app, idle.s().set(expires=0.5))
    ask(app, idle.s().set(expires=datetime(2099, 1, 1, tzinfo=UTC)))

    with app.app_context():
        now = database_time(db.session())
    first, second, third = (celery_json(job)[2]["expires"] for job in jobs_in(committed_db))
    assert seconds_between(first, now + timedelta(seconds=1000)) <= 2
    assert seconds_between(second, now) <= 3
    assert third == datetime(2099, 1, 1, tzinfo=UTC)


def test_a_task_without_a_request_has_no_ids(make_app: MakeApp, committed_db: Engine) -> None:
    ask(make_app(), idle.s())

    [job] = jobs_in(committed_db)
    assert (job.request_id, job.trace_id) == (None, None)


def test_a_task_that_a_task_enqueues_has_the_ids_of_the_request(
    make_app: MakeApp, committed_db: Engine
) -> None:
    def further() -> None:
        enqueue(db.session(), idle.s())

    app = make_app()
    with structlog.contextvars.bound_contextvars(request_id="mine", trace_id=TRACE):
        ask(app, task_of(app, further).s())
    assert run_all(app) == ["SUCCESS"]

    [job] = jobs_in(committed_db)
    assert (job.task, job.request_id, job.trace_id) == ("tests.idle", "mine", TRACE)


@pytest.mark.parametrize("make", [chain, group])
def test_only_the_signature_of_one_task_is_taken(app: Flask, session: Session, make: type) -> None:
    with app.app_context(), pytest.raises(TypeError, match=f"one task.*{make.__name__}"):
        enqueue(session, make(idle.s(), idle.si()))


def test_arguments_that_the_task_does_not_take_are_rejected(app: Flask, session: Session) -> None:
    with app.app_context(), pytest.raises(TypeError, match="unexpected keyword argument 'color'"):
        enqueue(session, idle.s(color="red"))


def test_arguments_are_json(app: Flask, session: Session) -> None:
    with app.app_context():
        enqueue(session, idle.s(uuid4()))  # Celery's JSON has more types than others
        with pytest.raises(TypeError, match="not JSON serializable"):
            enqueue(session, idle.s(object()))


def test_arguments_that_are_too_long_are_rejected(app: Flask, session: Session) -> None:
    with app.app_context():
        room = MAX_PAYLOAD_LENGTH - len('[[""], {}, {}]')
        enqueue(session, idle.s("x" * room))
        with pytest.raises(ValueError, match=rf"tests\.idle are {MAX_PAYLOAD_LENGTH + 1} .*ids"):
            enqueue(session, idle.s("x" * (room + 1)))


@pytest.mark.parametrize("eta", [datetime(2099, 1, 1), LATER, 0], ids=["zone", "text", "number"])
def test_a_time_without_a_zone_is_rejected(app: Flask, session: Session, eta: Any) -> None:
    with app.app_context(), pytest.raises(ValueError, match=r"^The eta of tests\.idle .*UTC\)\.$"):
        enqueue(session, idle.s().set(eta=eta))

    assert jobs_in(session) == []
