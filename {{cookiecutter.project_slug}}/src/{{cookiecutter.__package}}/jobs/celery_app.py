"""Celery, as this service uses it: it carries messages to processes, and keeps nothing.

What has to survive is in the table of jobs (docs/jobs.md), so most of Celery's own means for that
are left off: results, retries, and redelivery to a worker that was lost.
"""

import logging
from collections.abc import Callable
from typing import Any
from uuid import UUID

from celery import Celery, signals
from flask import Flask

from ..base_settings import ServiceSettings
from ..observability import logs
from .job_runner import LEASE_IN_RUNS, run_job
from .jobs import TASKS
from .outbox import Message, Publish
from .redis_transport import Transport

SECONDS_TO_CONNECT = 5
SECONDS_TO_CLEAN_UP = 5

# The line of the job says it all; a warning of each lost connection is about another choice.
NOISY_LOGGERS = ("celery.app.trace", "celery.worker.strategy")
CHOSEN = "worker_cancel_long_running_tasks_on_connection_loss"


def make_celery(settings: ServiceSettings, **options: Any) -> Celery:
    """A Celery application that knows the broker and no task; `options` are the transport's."""
    celery = Celery("{{ cookiecutter.__package }}", set_as_current=False)
    celery.conf.update(
        broker_url=broker_address(settings.broker_url.get_secret_value()),
        task_default_queue="{{ cookiecutter.__package }}",
        # A message goes when its job has ended, so one that a worker had taken and not begun comes
        # back. One whose attempt was begun does nothing a second time.
        task_acks_late=True,
        worker_prefetch_multiplier=1,
        task_ignore_result=True,
        # The first limit raises an error in the task, the second ends its process.
        task_soft_time_limit=settings.job_seconds,
        task_time_limit=settings.job_seconds + SECONDS_TO_CLEAN_UP,
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        broker_connection_timeout=SECONDS_TO_CONNECT,
        broker_transport_options={
            # Redis gives a message to another worker after that; as long as a lease.
            "visibility_timeout": LEASE_IN_RUNS * settings.job_seconds,
            "socket_connect_timeout": SECONDS_TO_CONNECT,
            "socket_timeout": 2 * SECONDS_TO_CONNECT,
            "socket_keepalive": True,
            **options,
        },
    )
    return celery


def broker_address(url: str) -> str:
    """The URL of the broker. With TLS its certificate is checked, which Celery would not do."""
    if not url.startswith("rediss:") or "ssl_cert_reqs=" in url:
        return url
    return f"{url}{'&' if '?' in url else '?'}ssl_cert_reqs=required"


def make_worker(app: Flask, settings: ServiceSettings) -> Celery:
    """A Celery application that does the tasks, each attempt in contexts of its own."""
    celery = make_celery(settings)
    celery.conf.broker_transport = f"{Transport.__module__}:{Transport.__name__}"
    for name in TASKS:
        celery.task(name=name, shared=False)(_runner(app, settings.job_seconds))
    signals.setup_logging.connect(lambda **_: configure_logs(settings), weak=False)
    return celery


def make_client(settings: ServiceSettings) -> Celery:
    """A Celery application for those who ask, and fail at once if the broker is away."""
    return make_celery(settings, max_retries=0)


def configure_logs(settings: ServiceSettings) -> None:
    """Let Celery's lines go through the service's log, those that tell something."""
    logs.configure(settings)
    for name in NOISY_LOGGERS:
        logging.getLogger(name).setLevel(logging.WARNING)
    logging.getLogger("py.warnings").filters = [lambda record: CHOSEN not in record.getMessage()]


def publisher(settings: ServiceSettings) -> Publish:
    """What hands messages to the broker."""
    celery = make_client(settings)

    def publish(message: Message) -> None:
        celery.send_task(
            message.task,
            (str(message.job_id), message.number),
            task_id=f"{message.job_id}-{message.number}",
            retry=False,
        )

    return publish


def _runner(app: Flask, job_seconds: int) -> Callable[[str, int], None]:
    def run(job_id: str, number: int) -> None:
        run_job(app, UUID(job_id), number, job_seconds)

    return run
