import json
import logging
import time
from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from celery import signals
from celery.exceptions import Ignore, Reject, WorkerLostError
from flask import Flask, g
from pydantic import SecretStr
from sqlalchemy import Connection, Engine, Executable, event, select, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from {{ cookiecutter.__package }}.database import db
from {{ cookiecutter.__package }}.jobs import enqueue, receipts, tasks
from {{ cookiecutter.__package }}.jobs.models import Job, JobState, database_time
from {{ cookiecutter.__package }}.jobs.receipts import (
    MAX_RUNS,
    ReceiptEndedError,
    describe_error,
)
from {{ cookiecutter.__package }}.observability import logs
from {{ cookiecutter.__package }}.settings import Settings

from ..support.applications import MakeApp
from ..support.concurrency import in_threads
from ..support.engine import cut_off
from ..support.leaks import assert_nothing_leaked, count_rows, engine_of, pool_of
from ..support.probe import Probe, ProbeFactory
from ..support.queries import count_queries
from .support.background import (
    BROKER_IS_DOWN,
    DELIVERED_AGAIN,
    PAST,
    ask,
    celery_json,
    celery_of,
    change_jobs,
    deliver,
    idle,
    jobs_in,
    run_all,
    take_due,
    task_of,
)


def add() -> None:
    """Add a row."""
    db.session.add(ProbeFactory.build())


def fail() -> None:
    """Add a row, and fail."""
    add()
    db.session.flush()
    raise ArithmeticError("in the middle of a task")


def sent(app: Flask, function: object, **options: object) -> Job:
    """A message: the task of this function, enqueued and published."""
    ask(app, task_of(app, function, **options).s())  # type: ignore[arg-type]
    return take_due(app)[-1]


# Context, session and transaction


def test_a_run_has_a_context_and_a_session_of_its_own(make_app: MakeApp) -> None:
    seen: list[tuple[object, Session]] = []

    def look() -> None:
        seen.append((g._get_current_object(), db.session()))

    app = make_app()
    messages = [sent(app, look) for _ in range(2)]
    with app.app_context():
        look()
        for message in messages:
            assert deliver(app, message) == "SUCCESS"
        assert db.session() is seen[0][1]

    assert len({id(context) for context, _ in seen}) == 3
    assert len({id(session) for _, session in seen}) == 3
    assert_nothing_leaked(app)


def test_a_task_begins_without_a_connection(make_app: MakeApp) -> None:
    app = make_app()
    seen: list[int] = []

    def look() -> None:
        seen.append(pool_of(app).checkedout())

    deliver(app, sent(app, look))

    assert seen == [0]


def test_a_run_that_succeeds_leaves_nothing_open(make_app: MakeApp, committed_db: Engine) -> None:
    app = make_app()

    assert deliver(app, sent(app, add)) == "SUCCESS"

    assert_nothing_leaked(app)
    assert count_rows(committed_db) == 1
    assert jobs_in(committed_db) == []


def test_a_run_that_fails_leaves_nothing_open_and_nothing_behind(
    make_app: MakeApp, committed_db: Engine
) -> None:
    app = make_app()

    assert deliver(app, sent(app, fail)) == "RETRY"

    assert_nothing_leaked(app)
    assert count_rows(committed_db) == 0
    assert len(jobs_in(committed_db)) == 1


def test_without_a_receipt_a_run_is_the_same(make_app: MakeApp, committed_db: Engine) -> None:
    """As after `.delay()`."""
    app = make_app()
    task_of(app, add)
    message = Job(id=uuid4(), task="tests.add", queue="q", payload="[[], {}, {}]", retries=0)

    assert deliver(app, message, receipt=None) == "SUCCESS"

    assert count_rows(committed_db) == 1
    assert_nothing_leaked(app)


def test_called_as_a_function_a_task_shares_the_session_of_its_caller(
    make_app: MakeApp, committed_db: Engine
) -> None:
    app = make_app()
    adding = task_of(app, add)
    with app.app_context():
        adding()
        assert len(db.session().new) == 1
        db.session.rollback()

    assert count_rows(committed_db) == 0


def test_called_as_a_function_a_task_that_fails_leaves_the_session_of_its_caller(
    make_app: MakeApp, committed_db: Engine
) -> None:
    app = make_app()
    failing = task_of(app, fail)
    with app.app_context():
        row = ProbeFactory.build()
        db.session.add(row)
        with pytest.raises(ArithmeticError, match="in the middle of a task"):
            failing()
        assert row in db.session
        db.session.rollback()

    assert count_rows(committed_db) == 0


# Changes once


def test_what_a_task_changes_and_the_end_of_its_receipt_are_committed_together(
    make_app: MakeApp, committed_db: Engine
) -> None:
    app = make_app()

    def cut(connection: Connection) -> None:
        cut_off(connection, committed_db)

    def add_and_lose_the_connection() -> None:
        add()
        event.listen(engine_of(app), "commit", cut, once=True)

    message = sent(app, add_and_lose_the_connection)
    assert deliver(app, message) == "RETRY"
    assert count_rows(committed_db) == 0
    [job] = jobs_in(committed_db)
    assert (job.state, job.retries) == (JobState.WAITING, 1)


def test_a_message_that_comes_again_does_nothing(make_app: MakeApp, committed_db: Engine) -> None:
    app = make_app()
    message = sent(app, add)

    assert [deliver(app, message) for _ in range(3)] == ["SUCCESS", "IGNORED", "IGNORED"]

    assert count_rows(committed_db) == 1


def test_the_message_of_an_earlier_retry_does_nothing(
    make_app: MakeApp, committed_db: Engine
) -> None:
    app = make_app()
    first = sent(app, fail)
    assert deliver(app, first) == "RETRY"
    assert deliver(app, first) == "IGNORED", "it waits"
    change_jobs(committed_db, due_at=PAST)
    [second] = take_due(app)

    assert deliver(app, first) == "IGNORED", "it is another retry's"
    assert (second.retries, deliver(app, second)) == (1, "RETRY")


def test_of_workers_with_the_same_message_one_changes_something(
    make_app: MakeApp, committed_db: Engine
) -> None:
    app = make_app(threads=4, pool_timeout_seconds=30)
    for _ in range(5):
        message = sent(app, add)
        states = in_threads(lambda _, message=message: deliver(app, message), 4)  # type: ignore[misc]
        assert states.count("SUCCESS") == 1

    assert count_rows(committed_db) == 5
    assert jobs_in(committed_db) == []


@pytest.mark.parametrize("commits", [False, True])
def test_a_run_that_was_overtaken_is_rolled_back(
    make_app: MakeApp, committed_db: Engine, commits: bool
) -> None:
    def be_slow() -> None:
        with committed_db.begin() as other:  # what the faster run does
            other.execute(text("DELETE FROM jobs"))
        add()
        if commits:
            db.session.commit()

    app = make_app()
    assert deliver(app, sent(app, be_slow)) == "IGNORED"

    assert count_rows(committed_db) == 0
    assert_nothing_leaked(app)


def test_the_first_commit_of_changes_ends_the_receipt(
    make_app: MakeApp, committed_db: Engine
) -> None:
    """As tasks of Celery's tutorial do: they commit by themselves."""
    seen: list[int] = []

    def add_and_commit() -> None:
        with db.session.begin_nested():
            add()
        assert db.session.scalars(select(Job)).one()
        db.session.commit()
        seen.append(len(jobs_in(committed_db)))

    app = make_app()
    assert deliver(app, sent(app, add_and_commit)) == "SUCCESS"

    assert seen == [0]
    assert count_rows(committed_db) == 1


def test_a_failed_run_that_was_overtaken_is_logged_and_not_retried(
    make_app: MakeApp, committed_db: Engine, caplog: pytest.LogCaptureFixture
) -> None:
    def be_slow_and_fail() -> None:
        with committed_db.begin() as other:  # what the faster run does
            other.execute(text("DELETE FROM jobs"))
        fail()

    app = make_app()
    caplog.set_level("ERROR")
    assert deliver(app, sent(app, be_slow_and_fail)) == "IGNORED"

    assert (count_rows(committed_db), jobs_in(committed_db)) == (0, [])
    assert_nothing_leaked(app)
    [said] = [record.getMessage() for record in caplog.records if record.name == tasks.__name__]
    assert said.startswith("The task has ended, so it is not run again: ")


@pytest.mark.parametrize(
    "statement", [select(Probe), text("  select id FROM jobs")], ids=["orm", "sql"]
)
@pytest.mark.parametrize("end", ["commit", "rollback"])
def test_the_end_of_a_read_leaves_the_receipt(
    make_app: MakeApp, committed_db: Engine, end: str, statement: Executable
) -> None:
    """Read, call, write: if the worker is lost during the call, the task runs again."""
    seen: list[tuple[int, int]] = []

    def read_call_write() -> None:
        db.session.execute(statement).all()
        getattr(db.session, end)()
        seen.append((len(jobs_in(committed_db)), pool_of(app).checkedout()))
        add()

    app = make_app()
    assert deliver(app, sent(app, read_call_write)) == "SUCCESS"

    assert seen == [(1, 0)]
    assert (count_rows(committed_db), jobs_in(committed_db)) == (1, [])


def test_changes_that_were_rolled_back_do_not_end_the_receipt(
    make_app: MakeApp, committed_db: Engine
) -> None:
    seen: list[int] = []

    def change_mind() -> None:
        add()
        db.session.flush()
        db.session.rollback()
        db.session.commit()
        seen.append(len(jobs_in(committed_db)))

    app = make_app()
    assert deliver(app, sent(app, change_mind)) == "SUCCESS"

    assert (seen, jobs_in(committed_db)) == ([1], [])


def test_changes_cannot_be_committed_twice(
    make_app: MakeApp, committed_db: Engine, capsys: pytest.CaptureFixture[str]
) -> None:
    raised: list[str] = []

    def commit_twice() -> None:
        for _ in range(2):
            try:
                add()
                db.session.commit()
            except ReceiptEndedError as error:
                raised.append(str(error))
                raise

    app = make_app()
    assert deliver(app, sent(app, commit_twice)) == "IGNORED"

    assert len(raised) == 1
    assert "Commit only once" in raised[0]
    assert "Commit only once" in capsys.readouterr().err
    assert count_rows(committed_db) == 1


def test_a_task_that_has_nothing_to_do_may_say_so(make_app: MakeApp, committed_db: Engine) -> None:
    def ignore() -> None:
        add()
        raise Ignore

    app = make_app()
    assert deliver(app, sent(app, ignore)) == "IGNORED"

    assert (count_rows(committed_db), jobs_in(committed_db)) == (0, [])
    assert_nothing_leaked(app)


# Retries


def test_a_retry_waits_in_the_table(make_app: MakeApp, committed_db: Engine) -> None:
    def later(self: object) -> None:
        raise self.retry(countdown=600)  # type: ignore[attr-defined]

    app = make_app(broker_url=BROKER_IS_DOWN)  # it needs none
    assert deliver(app, sent(app, later, bind=True)) == "RETRY"

    [job] = jobs_in(committed_db)
    assert (job.state, job.retries, job.runs) == (JobState.WAITING, 1, 0)
    with Session(committed_db) as session:
        due_in = job.due_at - database_time(session)
    assert timedelta(seconds=590) < due_in <= timedelta(seconds=601)
    assert take_due(app) == []
    assert_nothing_leaked(app)


def test_a_retry_may_have_other_arguments_and_another_queue(
    make_app: MakeApp, committed_db: Engine
) -> None:
    """As Celery documents it."""
    done: list[int] = []

    def count_down(self: tasks.ServiceTask, number: int, step: int = 1) -> None:
        if number:
            raise self.retry(args=(number - step,), kwargs={"step": step}, queue="another")
        done.append(number)

    app = make_app()
    ask(app, task_of(app, count_down, bind=True).s(4, step=2).set(priority=3))

    assert [run_all(app) for _ in range(3)] == [["RETRY"], ["RETRY"], ["SUCCESS"]]
    assert (done, jobs_in(committed_db)) == ([0], [])


def test_a_retry_with_other_headers_keeps_its_receipt(
    make_app: MakeApp, committed_db: Engine
) -> None:
    def later(self: tasks.ServiceTask) -> None:
        raise self.retry(headers={"mine": 1, tasks.RECEIPT: False})

    app = make_app(broker_url=BROKER_IS_DOWN)  # it needs none
    assert deliver(app, sent(app, later, bind=True)) == "RETRY"

    [job] = jobs_in(committed_db)
    assert job.state == JobState.WAITING
    headers = celery_json(job)[2]["headers"]
    assert (headers["mine"], headers[tasks.RECEIPT]) == (1, True)


def test_a_task_is_retried_after_any_error_with_growing_pauses(
    make_app: MakeApp, committed_db: Engine
) -> None:
    app = make_app()
    failing = task_of(app, fail, retry_jitter=False)
    assert (failing.max_retries, failing.default_retry_delay) == (11, 10)
    ask(app, failing.s())
    pauses = []
    for _ in range(4):
        [message] = take_due(app)
        assert deliver(app, message) == "RETRY"
        [job] = jobs_in(committed_db)
        assert job.heard_at is not None
        pauses.append(round((job.due_at - job.heard_at).total_seconds()))
        change_jobs(committed_db, due_at=PAST)

    assert job.error == "ArithmeticError: in the middle of a task"
    for pause, expected in zip(pauses, (2, 4, 8, 16), strict=True):
        assert expected - 1 <= pause <= expected


def test_a_commit_that_fails_is_retried(make_app: MakeApp, committed_db: Engine) -> None:
    def conflict() -> None:
        db.session.add_all(ProbeFactory.build(code="the same") for _ in range(2))

    app = make_app()
    assert deliver(app, sent(app, conflict)) == "RETRY"

    [job] = jobs_in(committed_db)
    assert str(job.error).startswith("IntegrityError")
    assert_nothing_leaked(app)


def test_a_task_that_fails_for_the_last_time_is_kept(
    make_app: MakeApp, committed_db: Engine
) -> None:
    app = make_app()
    ask(app, task_of(app, fail, max_retries=2).s())

    assert [run_all(app) for _ in range(4)] == [["RETRY"], ["RETRY"], ["FAILURE"], []]

    [job] = jobs_in(committed_db)
    assert (job.state, job.retries) == (JobState.FAILED, 2)
    assert job.error == "ArithmeticError: in the middle of a task"
    assert count_rows(committed_db) == 0
    assert_nothing_leaked(app)


def test_what_is_kept_of_an_error_can_be_stored_and_holds_no_secret() -> None:
    kept = describe_error(ValueError("password=hunter2 \0 \ud800 " + "x" * 5000))

    assert kept.startswith("ValueError: password=[redacted]  ? xxx")
    assert len(kept) == 1000


def test_a_task_whose_process_was_lost_is_retried_from_the_table(
    make_app: MakeApp, committed_db: Engine
) -> None:
    """Do what Celery does in the main process of the worker."""
    app = make_app(broker_url=BROKER_IS_DOWN)
    message = sent(app, add)
    options = {"task_id": str(message.id), "headers": {tasks.RECEIPT: True}, "retries": 1}

    celery_of(app).signature(message.task, options=options).apply_async(countdown=10)

    [job] = jobs_in(committed_db)
    assert (job.state, job.retries) == (JobState.WAITING, 1)
    assert "lost its worker" in str(job.error)


def test_a_task_that_was_lost_with_its_process_for_the_last_time_is_kept(
    make_app: MakeApp, committed_db: Engine
) -> None:
    """Celery sends this signal from the main process of the worker."""
    app = make_app()
    message = sent(app, add)

    signals.task_failure.send(
        sender=celery_of(app).tasks[message.task],
        task_id=str(message.id),
        exception=WorkerLostError("signal 9"),
    )

    [job] = jobs_in(committed_db)
    assert (job.state, job.error) == (JobState.FAILED, "WorkerLostError: signal 9")


def test_a_task_that_takes_its_worker_down_each_time_is_failed(
    make_app: MakeApp, committed_db: Engine
) -> None:
    app = make_app()
    message = sent(app, add)
    change_jobs(committed_db, runs=MAX_RUNS)

    assert deliver(app, message) == "FAILURE"

    [job] = jobs_in(committed_db)
    assert job.state == JobState.FAILED
    assert job.error == f"WorkerLostError: Its worker was lost {MAX_RUNS} times."
    assert count_rows(committed_db) == 0


def test_a_retry_does_not_count_the_workers_that_were_lost_before(
    make_app: MakeApp, committed_db: Engine
) -> None:
    """Retries themselves have no bound with `@shared_task(max_retries=None)`."""
    app = make_app()
    ask(app, task_of(app, fail, max_retries=None).s())

    for _ in range(MAX_RUNS + 1):
        assert run_all(app, delivery_info=DELIVERED_AGAIN) == ["RETRY"]

    [job] = jobs_in(committed_db)
    assert (job.retries, job.runs) == (MAX_RUNS + 1, 0)


def test_a_message_that_is_delivered_again_counts(make_app: MakeApp, committed_db: Engine) -> None:
    seen: list[int] = []

    def look() -> None:
        seen.extend(job.runs for job in jobs_in(committed_db))

    app = make_app()
    assert deliver(app, sent(app, look), delivery_info=DELIVERED_AGAIN) == "SUCCESS"

    assert seen == [1]


def test_what_is_published_again_without_a_run_does_not_count(
    make_app: MakeApp, committed_db: Engine
) -> None:
    """Such as to a queue without workers, or to a release that does not know the task."""
    app = make_app()
    ask(app, task_of(app, add).s())

    class Consumer:
        app = celery_of(make_app())

    for _ in range(MAX_RUNS + 1):
        [message] = take_due(app)
        signals.task_unknown.send(sender=Consumer, name="", id=str(message.id))
        change_jobs(committed_db, due_at=PAST)

    assert run_all(app) == ["SUCCESS"]
    assert count_rows(committed_db) == 1


def test_a_run_that_begins_late_is_heard_of_by_the_clock_of_the_database(
    make_app: MakeApp, committed_db: Engine
) -> None:
    """Or it could be published again before it ends."""
    seen: list[bool] = []

    def look() -> None:
        [job] = jobs_in(committed_db)
        assert job.heard_at is not None
        with Session(committed_db) as session:
            seen.append(abs(database_time(session) - job.heard_at) < timedelta(seconds=5))

    app = make_app()
    message = sent(app, look)
    limit = timedelta(seconds=celery_of(app).conf.task_time_limit)
    with Session(committed_db) as session:
        late = database_time(session) - limit - timedelta(seconds=1)
    change_jobs(committed_db, heard_at=late)

    assert deliver(app, message) == "SUCCESS"
    assert seen == [True]


def test_most_runs_begin_with_a_read_alone(make_app: MakeApp) -> None:
    app = make_app()

    def rest() -> None: ...

    message = sent(app, rest)
    with count_queries() as statements:
        assert deliver(app, message) == "SUCCESS"

    assert [statement.split()[0] for statement in statements] == ["SELECT", "DELETE"]


# Broker or database down


def test_without_a_database_the_message_comes_back(
    make_app: MakeApp, committed_db: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(time, "sleep", lambda _seconds: None)
    app = make_app()
    message = sent(app, add)

    def be_down(*_: object, **__: object) -> int:
        raise OperationalError("", {}, Exception())

    monkeypatch.setattr(receipts, "begin", be_down)

    assert deliver(app, message) == "REJECTED"

    assert [job.state for job in jobs_in(committed_db)] == [JobState.SENT]


def test_a_retry_that_cannot_be_published_does_not_fail_the_task(make_app: MakeApp) -> None:
    """That of a task without a receipt, while the broker is down."""
    app = make_app(broker_url=BROKER_IS_DOWN)
    rejected: list[Reject] = []

    def fail_and_look(self: tasks.ServiceTask) -> None:
        try:
            raise self.retry(exc=ArithmeticError())
        except Reject as error:
            rejected.append(error)
            raise

    task_of(app, fail_and_look, bind=True)
    payload = "[[], {}, {}]"
    message = Job(id=uuid4(), task="tests.fail_and_look", queue="q", payload=payload, retries=0)

    assert deliver(app, message, receipt=None) == "REJECTED"

    assert [error.args[1] for error in rejected] == [True]


def test_a_last_failure_that_cannot_be_kept_leaves_the_receipt(
    make_app: MakeApp, committed_db: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is published again after a silence."""
    app = make_app()
    message = sent(app, fail, max_retries=0)

    def be_down(*_: object) -> bool:
        raise ConnectionError

    monkeypatch.setattr(receipts, "note", be_down)

    assert deliver(app, message) == "FAILURE"

    assert [job.state for job in jobs_in(committed_db)] == [JobState.SENT]


# What a worker does not run


def test_a_task_with_an_id_of_its_caller_has_no_receipt(make_app: MakeApp) -> None:
    assert not receipts.note(celery_of(make_app()), "daily-report", "an error")


def test_a_task_that_a_worker_does_not_know_waits_for_another(
    make_app: MakeApp, committed_db: Engine
) -> None:
    app = make_app()
    message = sent(app, add)

    class Consumer:
        app = celery_of(make_app())

    signals.task_unknown.send(sender=Consumer, name=message.task, id=str(message.id))

    [job] = jobs_in(committed_db)
    assert (job.state, job.retries) == (JobState.WAITING, 0)
    assert job.error == "A worker does not know the task tests.add."
    assert take_due(app) == []


@pytest.mark.parametrize(("expired", "error"), [(True, "had expired"), (False, "was revoked")])
def test_a_task_that_was_revoked_or_has_expired_is_kept(
    make_app: MakeApp, committed_db: Engine, expired: bool, error: str
) -> None:
    app = make_app()
    message = sent(app, add)

    class Request:
        id = str(message.id)

    task = celery_of(app).tasks[message.task]
    signals.task_revoked.send(
        sender=task, request=Request, terminated=False, signum=None, expired=expired
    )

    [job] = jobs_in(committed_db)
    assert job.state == JobState.FAILED
    assert error in str(job.error)


def test_a_new_process_of_a_worker_leaves_connections_to_the_main_process(
    make_app: MakeApp,
) -> None:
    app = make_app()
    pool = pool_of(app)

    signals.worker_process_init.send(sender=None)

    assert pool_of(app) is not pool


# Logs and ids


def test_all_lines_of_a_run_have_the_ids_of_its_request(
    make_app: MakeApp, settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    def tell() -> None:
        logging.getLogger("a_task").info("something")

    app = make_app()
    logs.configure(settings)
    telling = task_of(app, tell)
    with app.test_request_context(headers={"X-Request-ID": "mine"}):
        first = enqueue(db.session(), telling.s())
        db.session.commit()
    second = ask(app, telling.s())
    messages = take_due(app)
    capsys.readouterr()

    for message in messages:
        deliver(app, message)

    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    mine = {"request_id": "mine", "task": "tests.tell", "task_id": str(first)}
    something, succeeded, other, other_succeeded = lines
    assert something.items() >= {**mine, "event": "something"}.items()
    assert succeeded.items() >= mine.items()
    assert "succeeded in" in succeeded["event"]
    for line in (other, other_succeeded):
        assert line["task_id"] == str(second)
        assert "request_id" not in line


def test_a_message_without_a_receipt_has_the_ids_of_its_request(
    make_app: MakeApp, broker_url: str
) -> None:
    app = make_app(broker_url=SecretStr(broker_url))
    task = celery_of(app).tasks[idle.name]
    with app.test_request_context(headers={"X-Request-ID": "mine"}):
        result = task.apply_async(queue="ids")

    with celery_of(app).connection_for_read() as connection:
        queue = connection.SimpleQueue("ids")
        message = queue.get(timeout=5)
        message.ack()
        queue.close()
    assert UUID(result.id) == UUID(message.headers["id"])
    assert message.headers["request_id"] == "mine"
    assert "receipt" not in message.headers
