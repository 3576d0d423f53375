import json
import logging
from importlib import import_module
from uuid import UUID

import pytest
from celery import signals
from flask import Flask
from pydantic import SecretStr
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from {{ cookiecutter.__package }} import create_app
from {{ cookiecutter.__package }}.base_settings import EXAMPLE_URL
from {{ cookiecutter.__package }}.jobs.celery_app import (
    CHOSEN,
    NOISY_LOGGERS,
    make_celery,
    make_worker,
    publisher,
)
from {{ cookiecutter.__package }}.jobs.job_runner import LEASE_IN_RUNS
from {{ cookiecutter.__package }}.jobs.jobs import TASKS, task
from {{ cookiecutter.__package }}.jobs.outbox import Message
from {{ cookiecutter.__package }}.jobs.redis_transport import Transport
from {{ cookiecutter.__package }}.settings import Settings

from ..support.applications import MakeApp
from .support.background import ask, jobs_in

pytestmark = pytest.mark.usefixtures("_own_tasks")


def test_the_worker_knows_all_tasks(app: Flask, settings: Settings) -> None:
    known = make_worker(app, settings).tasks

    assert known.keys() >= TASKS.keys()


def test_a_message_is_an_attempt_at_a_job(
    make_app: MakeApp, settings: Settings, committed_db: Engine
) -> None:
    app = make_app()
    done: list[str] = []

    @task("tests.note")
    def note(_session: Session, *, text: str) -> None:
        done.append(text)

    job_id = ask(app, note, text="a text")

    make_worker(app, settings).tasks["tests.note"](str(job_id), 1)

    assert done == ["a text"]
    assert jobs_in(committed_db) == []


def test_a_message_is_given_away_only_when_its_job_can_have_ended(settings: Settings) -> None:
    conf = make_celery(settings).conf
    longest = conf.task_time_limit + conf.task_time_limit  # it may wait for one run before its own

    assert conf.task_acks_late
    assert conf.worker_prefetch_multiplier == 1
    assert conf.task_soft_time_limit < conf.task_time_limit
    visible = conf.broker_transport_options["visibility_timeout"]
    assert visible == LEASE_IN_RUNS * settings.job_seconds > longest


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("redis://h:6379/0", "redis://h:6379/0"),
        ("rediss://h:6379/0", "rediss://h:6379/0?ssl_cert_reqs=required"),
        ("rediss://h/0?ssl_ca_certs=f", "rediss://h/0?ssl_ca_certs=f&ssl_cert_reqs=required"),
        ("rediss://h/0?ssl_cert_reqs=none", "rediss://h/0?ssl_cert_reqs=none"),
    ],
    ids=["plain", "TLS", "authority", "unchecked"],
)
def test_the_certificate_of_a_broker_is_checked(
    settings: Settings, given: str, expected: str
) -> None:
    chosen = settings.model_copy(update={"broker_url": SecretStr(given)})

    assert make_celery(chosen).conf.broker_url == expected


def test_the_worker_is_on_the_transport_that_outlives_its_broker(
    app: Flask, settings: Settings
) -> None:
    connection = make_worker(app, settings).connection_for_read()

    assert connection.get_transport_cls() is Transport


def test_a_broker_that_is_away_is_told_at_once(settings: Settings) -> None:
    away = settings.model_copy(update={"broker_url": SecretStr("redis://127.0.0.1:1/0")})

    with pytest.raises(Exception, match="Connection refused"):
        publisher(away)(Message("tests.idle", ask_nobody(), 1))


def ask_nobody() -> UUID:
    return UUID(int=0)


def test_the_worker_logs_as_the_service_does(
    app: Flask, settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    make_worker(app, settings)
    signals.setup_logging.send(sender=None)
    warnings = logging.getLogger("py.warnings")
    try:
        for name in NOISY_LOGGERS:
            logging.getLogger(name).info("Task received")
        logging.getLogger("celery.worker").info("ready")
        warnings.warning("CPendingDeprecationWarning: %s", CHOSEN)
        warnings.warning("another")
    finally:
        warnings.filters = []
        for name in NOISY_LOGGERS:
            logging.getLogger(name).setLevel(logging.NOTSET)

    lines = [json.loads(line)["event"] for line in capsys.readouterr().err.splitlines()]
    assert lines == ["ready", "another"]


def test_the_entry_point_of_celery(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", EXAMPLE_URL)

    module = import_module(f"{create_app.__module__}.worker")

    assert module.celery.main == create_app.__module__
