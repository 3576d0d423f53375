import json
import logging
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
import structlog
from flask import g
from sqlalchemy import Connection, Engine, event, update
from sqlalchemy.orm import Session
from time_machine import TimeMachineFixture

from {{ cookiecutter.__package }}.database import db
from {{ cookiecutter.__package }}.jobs import job_runner
from {{ cookiecutter.__package }}.jobs.job_runner import (
    LEASE_IN_RUNS,
    LONGEST_PAUSE_SECONDS,
    MOST_ATTEMPTS,
    describe,
    pause,
)
from {{ cookiecutter.__package }}.jobs.jobs import LONGEST_ERROR, Job, Task, task
from {{ cookiecutter.__package }}.observability import logs
from {{ cookiecutter.__package }}.settings import Settings

from ..support.applications import MakeApp
from ..support.concurrency import in_threads
from ..support.engine import cut_off
from ..support.leaks import assert_nothing_leaked, count_rows, engine_of, pool_of
from ..support.probe import ProbeFactory
from .support.background import JOB_SECONDS, ask, attempt, due, jobs_in

pytestmark = pytest.mark.usefixtures("_own_tasks")

NOON = datetime(2030, 1, 1, 12, tzinfo=UTC)


def add(session: Session) -> None:
    """Add a row."""
    session.add(ProbeFactory.build())


def fail(session: Session) -> None:
    """Add a row, and fail."""
    add(session)
    session.flush()
    raise ArithmeticError("in the middle of a task")


@pytest.fixture
def adding() -> Task[[]]:
    """A task that adds a row."""
    return task("tests.add")(add)


@pytest.fixture
def failing() -> Task[[]]:
    """A task that adds a row, and fails."""
    return task("tests.fail")(fail)


# Context and session


def test_a_job_has_a_context_and_a_session_of_its_own(make_app: MakeApp) -> None:
    seen: list[tuple[object, Session]] = []

    def look(session: Session) -> None:
        assert session is db.session()
        seen.append((g._get_current_object(), session))

    app = make_app()
    looking = task("tests.look")(look)
    jobs = [ask(app, looking) for _ in range(2)]
    with app.app_context():
        seen.append((g._get_current_object(), db.session()))
        for job_id in jobs:
            attempt(app, job_id)
        assert db.session() is seen[0][1]

    assert len({id(context) for context, _ in seen}) == 3
    assert len({id(session) for _, session in seen}) == 3
    assert_nothing_leaked(app)


def test_a_job_begins_without_a_connection(make_app: MakeApp) -> None:
    app = make_app()
    seen: list[int] = []

    def look(_session: Session) -> None:
        seen.append(pool_of(app).checkedout())

    attempt(app, ask(app, task("tests.look")(look)))

    assert seen == [0]


def test_a_job_that_succeeds_leaves_nothing_open(
    make_app: MakeApp, committed_db: Engine, adding: Task[[]]
) -> None:
    app = make_app()
    attempt(app, ask(app, adding))

    assert_nothing_leaked(app)
    assert count_rows(committed_db) == 1
    assert jobs_in(committed_db) == []


def test_a_job_that_fails_leaves_nothing_open_and_nothing_behind(
    make_app: MakeApp, committed_db: Engine, failing: Task[[]]
) -> None:
    app = make_app()
    attempt(app, ask(app, failing))

    assert_nothing_leaked(app)
    assert count_rows(committed_db) == 0
    assert len(jobs_in(committed_db)) == 1


def test_a_job_that_is_made_again_leaves_nothing_open(
    make_app: MakeApp, committed_db: Engine, failing: Task[[]]
) -> None:
    app = make_app()
    job_id = ask(app, failing)
    for number in range(1, MOST_ATTEMPTS + 1):
        attempt(app, job_id, number)
        assert_nothing_leaked(app)

    assert count_rows(committed_db) == 0


def test_a_task_may_fail_in_the_database(make_app: MakeApp, committed_db: Engine) -> None:
    def violate(session: Session) -> None:
        session.add_all(ProbeFactory.build(code="the same") for _ in range(2))
        session.flush()

    app = make_app()
    attempt(app, ask(app, task("tests.violate")(violate)))

    [job] = jobs_in(committed_db)
    assert str(job.error).startswith("IntegrityError")
    assert_nothing_leaked(app)


# Once, and wholly


def test_what_a_task_does_and_its_end_are_committed_together(
    make_app: MakeApp, committed_db: Engine, adding: Task[[]]
) -> None:
    app = make_app()
    job_id = ask(app, adding)

    def cut(connection: Connection) -> None:
        cut_off(connection, committed_db)

    def add_and_lose_the_connection(session: Session) -> None:
        add(session)
        event.listen(engine_of(app), "commit", cut, once=True)

    attempt(app, ask(app, task("tests.cut")(add_and_lose_the_connection)))
    assert count_rows(committed_db) == 0
    assert len(jobs_in(committed_db)) == 2

    attempt(app, job_id)
    assert count_rows(committed_db) == 1
    assert [job.task for job in jobs_in(committed_db)] == ["tests.cut"]


def test_a_message_that_comes_again_does_nothing(
    make_app: MakeApp, committed_db: Engine, adding: Task[[]]
) -> None:
    app = make_app()
    job_id = ask(app, adding)
    for number in (1, 1, 2):
        attempt(app, job_id, number)

    assert count_rows(committed_db) == 1


def test_a_message_that_comes_again_makes_no_attempt(make_app: MakeApp) -> None:
    attempts: list[Session] = []

    def count_and_fail(session: Session) -> None:
        attempts.append(session)
        fail(session)

    app = make_app()
    job_id = ask(app, task("tests.count")(count_and_fail))
    for _ in range(3):
        attempt(app, job_id, 1)

    assert len(attempts) == 1


def test_of_workers_with_the_same_message_one_does_it(
    make_app: MakeApp, committed_db: Engine, adding: Task[[]]
) -> None:
    app = make_app(threads=4, pool_timeout_seconds=30)
    for _ in range(5):
        job_id = ask(app, adding)
        in_threads(lambda _, job_id=job_id: attempt(app, job_id), 4)  # type: ignore[misc]

    assert count_rows(committed_db) == 5
    assert jobs_in(committed_db) == []


def test_an_attempt_that_was_overtaken_is_rolled_back(
    make_app: MakeApp, committed_db: Engine
) -> None:
    def be_slow(session: Session) -> None:
        with committed_db.begin() as other:  # what a worker does that makes the next attempt
            other.execute(update(Job).values(attempts=2))
        add(session)

    app = make_app()
    attempt(app, ask(app, task("tests.slow")(be_slow)))

    [job] = jobs_in(committed_db)
    assert (job.attempts, job.error) == (2, None)
    assert count_rows(committed_db) == 0
    assert_nothing_leaked(app)


# Again, later


def test_a_job_that_fails_is_due_again_later(
    make_app: MakeApp, committed_db: Engine, failing: Task[[]], time_machine: TimeMachineFixture
) -> None:
    time_machine.move_to(NOON, tick=False)
    app = make_app()
    attempt(app, ask(app, failing))

    [job] = jobs_in(committed_db)
    assert job.error == "ArithmeticError: in the middle of a task"
    assert job.due_at is not None
    assert timedelta(seconds=1) <= job.due_at - NOON <= timedelta(seconds=2)
    assert due(app) == []

    time_machine.shift(timedelta(seconds=2))
    assert [message.number for message in due(app)] == [2]


def test_pauses_grow_and_differ() -> None:
    for attempts, longest in ((1, 2), (2, 4), (3, 8), (9, 512), (10, LONGEST_PAUSE_SECONDS)):
        found = {pause(attempts).total_seconds() for _ in range(100)}
        assert longest / 2 <= min(found) < max(found) <= longest


def test_a_job_that_fails_too_often_is_given_up(
    make_app: MakeApp, committed_db: Engine, failing: Task[[]], time_machine: TimeMachineFixture
) -> None:
    time_machine.move_to(NOON, tick=False)
    app = make_app()
    job_id = ask(app, failing)
    for number in range(1, MOST_ATTEMPTS + 1):
        assert [(each.job_id, each.number) for each in due(app)] == [(job_id, number)]
        attempt(app, job_id, number)
        time_machine.shift(timedelta(seconds=LONGEST_PAUSE_SECONDS))

    assert due(app) == []
    [job] = jobs_in(committed_db)
    assert (job.due_at, job.attempts) == (None, MOST_ATTEMPTS)
    assert job.error == "ArithmeticError: in the middle of a task"


def test_a_job_whose_worker_was_lost_is_due_when_its_lease_ends(
    make_app: MakeApp, committed_db: Engine, time_machine: TimeMachineFixture
) -> None:
    """As with a process that is killed: nothing is said of the attempt, and all is rolled back."""

    def vanish(session: Session) -> None:
        add(session)
        session.flush()
        raise SystemExit

    time_machine.move_to(NOON, tick=False)
    app = make_app()
    job_id = ask(app, task("tests.vanish")(vanish))
    assert len(due(app)) == 1
    with pytest.raises(SystemExit):
        attempt(app, job_id)

    time_machine.shift(timedelta(seconds=LEASE_IN_RUNS * JOB_SECONDS - 1))
    assert due(app) == []
    time_machine.shift(timedelta(seconds=1))
    assert [message.number for message in due(app)] == [2]
    assert count_rows(committed_db) == 0
    assert_nothing_leaked(app)


def test_what_is_kept_of_an_error_can_be_stored_and_is_no_secret() -> None:
    kept = describe(ValueError("password=hunter2 \0 \ud800 " + "x" * 5000))

    assert kept.startswith("ValueError: password=[redacted]  ? xxx")
    assert len(kept) == LONGEST_ERROR


# Logs


def lines_of(capsys: pytest.CaptureFixture[str]) -> list[dict[str, object]]:
    """What was logged by the runner and by tasks."""
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    return [line for line in lines if line["logger"] in (job_runner.__name__, "a_task")]


def test_all_lines_of_a_job_have_the_ids_of_its_request(
    make_app: MakeApp, capsys: pytest.CaptureFixture[str]
) -> None:
    def tell(_session: Session) -> None:
        logging.getLogger("a_task").info("something")

    app = make_app()
    telling = task("tests.tell")(tell)
    with structlog.contextvars.bound_contextvars(request_id="mine", trace_id="of-mine"):
        first = ask(app, telling)
    second = ask(app, telling)
    capsys.readouterr()

    attempt(app, first)
    attempt(app, second)

    mine = {"request_id": "mine", "trace_id": "of-mine", "job_id": str(first)}
    something, job, other, other_job = lines_of(capsys)
    assert something.items() >= mine.items()
    assert job.items() >= {**mine, "event": "job", "outcome": "done", "attempt": 1}.items()
    assert job["task"] == "tests.tell"
    assert isinstance(job["duration_ms"], float)
    for line in (other, other_job):
        assert line["job_id"] == str(second)
        assert "request_id" not in line
    assert structlog.contextvars.get_contextvars() == {}


@pytest.mark.parametrize(
    ("number", "level", "outcome"),
    [(1, "warning", "again later"), (MOST_ATTEMPTS, "error", "given up")],
)
def test_a_failure_is_logged_with_its_traceback(
    make_app: MakeApp,
    committed_db: Engine,
    failing: Task[[]],
    capsys: pytest.CaptureFixture[str],
    number: int,
    level: str,
    outcome: str,
) -> None:
    app = make_app()
    job_id = ask(app, failing)
    set_attempts(committed_db, job_id, number - 1)
    capsys.readouterr()

    attempt(app, job_id, number)

    [line] = lines_of(capsys)
    assert (line["level"], line["outcome"], line["attempt"]) == (level, outcome, number)
    assert "ArithmeticError: in the middle of a task" in str(line["exception"])
    assert line["job_id"] == str(job_id)


def set_attempts(engine: Engine, job_id: UUID, attempts: int) -> None:
    """Let so many attempts have been made."""
    with engine.begin() as connection:
        connection.execute(update(Job).where(Job.id == job_id).values(attempts=attempts))


@pytest.fixture(autouse=True)
def _format_of_the_tests(settings: Settings) -> None:
    logs.configure(settings)
