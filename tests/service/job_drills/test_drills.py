"""Drills of docs/jobs.md: nothing is lost or done twice, whatever is killed or stopped."""

import json
import os
import signal
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from shutil import which
from typing import Any

import pytest
from dev.private_server import (
    PrivateServer,
    free_port,
    is_listening,
    temporary_folder,
    unprivileged_account,
)
from flask import Flask
from my_service.database import db
from my_service.jobs import enqueue
from my_service.jobs.models import Job, JobState
from my_service.settings import Settings
from pydantic import SecretStr
from redis import Redis
from sqlalchemy import Engine, delete, func, insert, make_url, select, text

from tests.jobs.drill_tasks import add, fail, fail_when_told, touch
from tests.jobs.support.background import PAST, celery_of, jobs_in
from tests.jobs.support.broker import start_temporary
from tests.jobs.support.worker_process import (
    WorkerProcess,
    environment_of,
    with_broker,
)
from tests.support.applications import MakeApp
from tests.support.concurrency import wait_until
from tests.support.probe import Probe
from tests.support.programs import Program

pytestmark = pytest.mark.slow

HOST = "127.0.0.1"
VISIBILITY_SECONDS = 3
CELERY = {
    "imports": ["tests.jobs.drill_tasks"],
    "broker_transport_options": {"visibility_timeout": VISIBILITY_SECONDS},
}
IN_FLIGHT = 50
BACKLOG = 20_000
SECONDS_TO_BEGIN = 5


def drill_settings(settings: Settings, url: str, **changes: Any) -> Settings:
    """Settings with these tasks, and a silence of some 15 seconds."""
    changes = {"celery": json.dumps(CELERY), "job_seconds": 1, **changes}
    return with_broker(settings, url, jobs_in_flight=IN_FLIGHT, **changes)


@contextmanager
def worker_of(settings: Settings) -> Iterator[WorkerProcess]:
    """A relay and a worker of two processes."""
    with tempfile.TemporaryDirectory() as folder:
        made = WorkerProcess(settings, Path(folder))
        try:
            made.wait_until_ready()
            yield made
        finally:
            made.worker.kill()
            made.relay.kill()


@contextmanager
def pooled(settings: Settings) -> Iterator[Settings]:
    """The settings of processes behind PgBouncer, if the database is PostgreSQL."""
    url = make_url(settings.database_url.get_secret_value())
    if not url.drivername.startswith("postgresql"):
        yield settings
        return
    port, folder = free_port(), temporary_folder(account := unprivileged_account("postgres"))
    users, configuration = folder / "users.txt", folder / "pgbouncer.ini"
    users.write_text(f'"{url.username}" ""\n')
    configuration.write_text(
        f"[databases]\n* = host={url.query.get('host') or url.host} port={url.port or 5432}\n"
        f"[pgbouncer]\nlisten_addr = {HOST}\nlisten_port = {port}\nunix_socket_dir =\n"
        f"auth_type = trust\nauth_file = {users}\npool_mode = transaction\n"
    )
    server = PrivateServer(
        [which("pgbouncer") or "/usr/sbin/pgbouncer", configuration],
        folder,
        account=account,
        stop_signal="INT",
        temporary=True,
    )
    try:
        server.wait_until(lambda: is_listening((HOST, port)))
        url = url.set(host=HOST, port=port, query={"prepare_threshold": "none"})
        address = SecretStr(url.render_as_string(hide_password=False))
        yield settings.model_copy(update={"database_url": address})
    finally:
        server.stop()


def ask_for(app: Flask, name: str, number: int) -> None:
    """Ask for rows, each in a transaction of its own."""
    for each in range(number):
        with app.app_context():
            enqueue(db.session(), add.s(f"{name}-{each}"))
            db.session.commit()


def done(engine: Engine) -> Counter[str]:
    """How often each name was added."""
    with engine.connect() as connection:
        return Counter(connection.scalars(select(Probe.name)))


def test_nothing_is_lost_or_done_twice(
    make_app: MakeApp, committed_db: Engine, settings: Settings, tmp_path: Path
) -> None:
    broker, url = start_temporary(stop_signal="KILL")
    app = make_app()
    ask_for(app, "relay-killed", 20)
    with pooled(settings) as behind_a_pool:
        chosen = drill_settings(behind_a_pool, url)
        environment = environment_of(chosen) | {"PYTHONPATH": os.environ.get("PYTHONPATH", "src")}
        relay = ["tests.jobs.drill_relay"]
        killed = Program([*relay, "killed"], environment, tmp_path / "killed.log")
        assert killed.wait() == -signal.SIGKILL, (tmp_path / "killed.log").read_text()
        assert {job.state for job in jobs_in(committed_db)} == {JobState.SENT}
        ahead = Program([*relay, "ahead"], environment, tmp_path / "ahead.log")
        try:
            with worker_of(chosen) as processes, app.app_context():
                enqueue(db.session(), fail.s())
                db.session.commit()
                ask_for(app, "two-relays", 20)
                with Redis.from_url(url) as client:
                    server = client.info("server")["process_id"]
                os.kill(server, signal.SIGSTOP)
                began = time.monotonic()
                ask_for(app, "broker-stopped", 20)
                assert time.monotonic() - began < SECONDS_TO_BEGIN, "a request does not wait"
                wait_until(lambda: "cannot be published" in (tmp_path / "ahead.log").read_text())
                os.kill(server, signal.SIGCONT)
                ask_for(app, "flushed", 20)
                with Redis.from_url(url) as client:
                    client.flushall()
                broker.pause()
                ask_for(app, "broker-killed", 20)
                broker.start()
                wait_until(lambda: done(committed_db)["two-relays-0"])
                ask_for(app, "worker-killed", 20)
                processes.worker.kill()
            with worker_of(chosen):
                wait_until(lambda: [job.task for job in jobs_in(committed_db)] == [fail.name])
                wait_until(lambda: jobs_in(committed_db)[0].state == JobState.FAILED)
        finally:
            ahead.kill()
            broker.stop()

    kinds = "relay-killed two-relays broker-stopped flushed broker-killed worker-killed".split()
    assert done(committed_db) == {f"{kind}-{each}": 1 for kind in kinds for each in range(20)}


def test_a_backlog_is_bounded_in_flight_and_other_queues_pass_it(
    make_app: MakeApp, committed_db: Engine, settings: Settings, broker_url: str, tmp_path: Path
) -> None:
    app = make_app(broker_url=SecretStr(broker_url))
    celery = celery_of(app)
    queue = celery.conf.task_default_queue
    row = {"task": add.name, "queue": queue, "payload": '[["backlog"], {}, {}]', "due_at": PAST}
    with committed_db.begin() as connection:
        connection.execute(insert(Job), [row] * BACKLOG)
    count = select(func.count()).where(Job.state == JobState.SENT)
    with worker_of(drill_settings(settings, broker_url)) as processes:
        wait_until(lambda: done(committed_db)["backlog"] > IN_FLIGHT)
        assert celery.control.add_consumer("urgent", reply=True)
        with app.app_context():
            enqueue(db.session(), touch.s(str(tmp_path / "urgent")).set(queue="urgent"))
            db.session.commit()
        wait_until((tmp_path / "urgent").exists, SECONDS_TO_BEGIN)
        for _ in range(20):
            with committed_db.connect() as connection:
                assert connection.scalars(count).one() <= IN_FLIGHT
            time.sleep(0.05)
        assert done(committed_db)["backlog"] < BACKLOG, "there is still a backlog"
        processes.relay.kill()
        processes.worker.terminate()
        assert processes.worker.wait() == 0
    with committed_db.begin() as connection:
        left = connection.execute(delete(Job)).rowcount
    assert done(committed_db)["backlog"] + left == BACKLOG


def test_retries_and_failures_wait_for_broker_and_database(
    make_app: MakeApp, committed_db: Engine, settings: Settings, tmp_path: Path
) -> None:
    broker, url = start_temporary(stop_signal="KILL")
    app = make_app()
    began, go = tmp_path / "began", tmp_path / "go"
    try:
        with worker_of(drill_settings(settings, url, job_seconds=5)), app.app_context():
            enqueue(db.session(), fail_when_told.s(str(tmp_path)))
            db.session.commit()
            wait_until(began.exists)
            broker.pause()
            go.touch()
            wait_until(lambda: jobs_in(committed_db)[0].retries == 1)
            go.unlink()
            broker.start()
            wait_until(began.exists)
            rename(committed_db, "jobs", "jobs_away")
            go.touch()
            wait_until(lambda: not began.exists())
            time.sleep(1)  # while the worker tries to keep the failure
            rename(committed_db, "jobs_away", "jobs")
            assert jobs_in(committed_db)[0].state == JobState.SENT, "the failure was not kept"
            wait_until(lambda: jobs_in(committed_db)[0].state == JobState.FAILED)
    finally:
        broker.stop()

    [job] = jobs_in(committed_db)
    assert (job.retries, job.error) == (1, "ArithmeticError: as asked")


def rename(engine: Engine, old: str, new: str) -> None:
    """Rename a table; no process can use it meanwhile."""
    with engine.begin() as connection:
        connection.execute(text(f"ALTER TABLE {old} RENAME TO {new}"))
