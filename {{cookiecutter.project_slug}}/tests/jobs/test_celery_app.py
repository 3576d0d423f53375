import json
import logging
import socket
import time
from importlib import import_module
from typing import Any

import pytest
from celery import current_app, signals
from celery.concurrency.base import BasePool
from flask import Flask
from kombu.exceptions import OperationalError
from pydantic import SecretStr
from sqlalchemy import Engine

from {{ cookiecutter.__package }} import create_app
from {{ cookiecutter.__package }}.base_settings import EXAMPLE_URL
from {{ cookiecutter.__package }}.jobs.celery_app import (
    CLIENT_SECONDS,
    ServiceCelery,
    make_worker,
)
from {{ cookiecutter.__package }}.jobs.models import JobState
from {{ cookiecutter.__package }}.jobs.redis_transport import Transport
from {{ cookiecutter.__package }}.jobs.tasks import MAX_BACKOFF_SECONDS, ServiceTask
from {{ cookiecutter.__package }}.settings import Settings

from ..support.applications import MakeApp
from .support.background import BROKER_IS_DOWN, PAST, ask, celery_of, change_jobs, idle, jobs_in

consumer: Any = import_module("celery.worker.consumer.consumer")


def test_shared_tasks_are_those_of_the_application(make_app: MakeApp) -> None:
    app = make_app()

    assert current_app == celery_of(app)
    assert isinstance(celery_of(app).tasks[idle.name], ServiceTask)


def test_a_message_is_delivered_again_only_when_its_task_can_have_ended(app: Flask) -> None:
    conf = celery_of(app).conf

    assert conf.task_acks_late
    assert conf.task_reject_on_worker_lost
    assert conf.task_retry_on_worker_lost
    assert conf.worker_prefetch_multiplier == 1
    assert conf.task_soft_time_limit < conf.task_time_limit
    visible = conf.broker_transport_options["visibility_timeout"]
    assert visible >= MAX_BACKOFF_SECONDS + 3 * conf.task_time_limit


def test_the_team_may_set_what_celery_has(make_app: MakeApp) -> None:
    options = {"task_routes": {"a": "b"}, "broker_transport_options": {"visibility_timeout": 7}}
    celery = celery_of(make_app(celery=json.dumps(options)))

    assert celery.conf.task_routes == {"a": "b"}
    assert celery.conf.broker_transport_options["visibility_timeout"] == 7
    assert celery.conf.broker_transport_options["socket_timeout"] == CLIENT_SECONDS
    assert celery.silence_seconds == 7 + 2 * celery.conf.task_time_limit


def test_waits_follow_the_time_limit_of_the_team(make_app: MakeApp) -> None:
    """Or a longer task would be delivered again while it runs."""
    celery = celery_of(make_app(celery='{"task_time_limit": 7200}'))

    visible = celery.conf.broker_transport_options["visibility_timeout"]
    assert visible == MAX_BACKOFF_SECONDS + 3 * 7200
    assert celery.silence_seconds == visible + 2 * 7200


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
    app: Flask, settings: Settings, given: str, expected: str
) -> None:
    chosen = settings.model_copy(update={"broker_url": SecretStr(given)})

    assert ServiceCelery(app, chosen).conf.broker_url == expected


def test_a_worker_is_on_the_transport_that_survives_its_broker(make_app: MakeApp) -> None:
    worker = make_worker(make_app())

    with worker.connection_for_read() as connection:
        assert connection.get_transport_cls() is Transport
    assert worker.conf.broker_transport_options["max_retries"] is None
    assert worker.conf.broker_transport_options["socket_timeout"] > CLIENT_SECONDS


def test_a_worker_of_rabbitmq_is_on_its_own_transport(make_app: MakeApp) -> None:
    worker = make_worker(make_app(broker_url=SecretStr("amqp://127.0.0.1:1//")))

    with worker.connection_for_read() as connection:
        assert connection.get_transport_cls() is not Transport
    assert worker.conf.broker_transport_options["confirm_publish"]
    assert worker.conf.broker_transport_options["read_timeout"] is None


def test_a_broker_that_is_down_is_an_error_at_once(make_app: MakeApp) -> None:
    celery = celery_of(make_app(broker_url=BROKER_IS_DOWN))

    with pytest.raises(OperationalError, match="Connection refused"):
        celery.tasks[idle.name].delay()


@pytest.mark.slow
def test_a_broker_that_hangs_is_waited_for_only_as_long_as_its_bound(make_app: MakeApp) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        celery = celery_of(make_app(broker_url=SecretStr(f"redis://127.0.0.1:{port}/0")))
        began = time.monotonic()
        with pytest.raises(OperationalError):
            celery.tasks[idle.name].delay()

    assert time.monotonic() - began < 3 * CLIENT_SECONDS


def test_a_worker_logs_as_the_service_does(
    make_app: MakeApp, capsys: pytest.CaptureFixture[str]
) -> None:
    make_worker(make_app())
    signals.setup_logging.send(sender=None)

    logging.getLogger("celery.worker").info("ready")

    [line] = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert line["event"] == "ready"


@pytest.mark.parametrize("is_known", [True, False])
def test_the_headers_of_a_message_hide_its_arguments(
    make_app: MakeApp, broker_url: str, is_known: bool
) -> None:
    """Workers log these headers, and tell them to monitors."""
    celery = celery_of(make_app(broker_url=SecretStr(broker_url)))
    queue = f"hidden-{is_known}"
    if is_known:
        celery.tasks[idle.name].apply_async(("a name",), queue=queue)
    else:
        celery.send_task("of.another.service", [], {"text": "a name"}, queue=queue)

    headers = headers_of_message(celery, queue)
    assert (headers["argsrepr"], headers["kwargsrepr"]) == ("(...)", "{...}")


def test_a_caller_may_describe_the_arguments(make_app: MakeApp, broker_url: str) -> None:
    celery = celery_of(make_app(broker_url=SecretStr(broker_url)))
    celery.send_task(idle.name, ["a name"], argsrepr="(a text)", queue="described")

    headers = headers_of_message(celery, "described")
    assert (headers["argsrepr"], headers["kwargsrepr"]) == ("(a text)", "{...}")


def headers_of_message(celery: ServiceCelery, name: str) -> dict[str, Any]:
    """Take the message of a queue, and return its headers."""
    with celery.connection_for_read() as connection:
        queue = connection.SimpleQueue(name)
        message = queue.get(timeout=5)
        message.ack()
        queue.close()
    headers: dict[str, Any] = message.headers
    return headers


@pytest.mark.parametrize(
    ("line", "values", "kept"),
    [
        (consumer.UNKNOWN_TASK_ERROR, ("'a.task'", "a name", "", ""), "of type 'a.task'."),
        (consumer.INVALID_TASK_ERROR, ("no id", "a name"), "task message: no id"),
        (consumer.UNKNOWN_FORMAT, ("a name",), "unknown message."),
        (consumer.MESSAGE_DECODE_ERROR, ("why", "", "", "", "a name"), "message body: 'why'"),
    ],
    ids=["unknown task", "invalid task", "unknown message", "undecodable"],
)
def test_a_worker_logs_no_contents_of_what_it_drops(
    make_app: MakeApp,
    capsys: pytest.CaptureFixture[str],
    line: str,
    values: tuple[str, ...],
    kept: str,
) -> None:
    make_worker(make_app())
    signals.setup_logging.send(sender=None)

    logging.getLogger(consumer.__name__).error(line, *values)

    [logged] = capsys.readouterr().err.splitlines()
    assert kept in json.loads(logged)["event"]
    assert "a name" not in logged


def test_a_worker_that_logs_debug_lines_hides_arguments(
    make_app: MakeApp, capsys: pytest.CaptureFixture[str]
) -> None:
    make_worker(make_app(log_level="debug"))
    signals.setup_logging.send(sender=None)
    pool: Any = BasePool()
    pool.on_apply = lambda *_, **__: None

    pool.apply_async(idle, ("a name",), {"text": "a name"})

    logged = capsys.readouterr().err
    assert "TaskPool: Apply" in logged
    assert "a name" not in logged


def test_the_entry_point_of_celery(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", EXAMPLE_URL)

    module = import_module(f"{create_app.__module__}.worker")

    assert module.celery.main == create_app.__module__
    module.celery.loader.import_default_modules()


def test_the_nightly_task_deletes_what_is_no_longer_needed(
    make_app: MakeApp, committed_db: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", EXAMPLE_URL)
    worker = import_module(f"{create_app.__module__}.worker")
    app = make_app()
    ask(app, idle.s())
    change_jobs(committed_db, state=JobState.FAILED, heard_at=PAST)

    with app.app_context():
        done = worker.clean_up()

    assert done.startswith("Deleted: ")
    assert "1 failed tasks" in done
    assert jobs_in(committed_db) == []
