"""Celery, set up for this service; docs/jobs.md says why its settings have these values."""

import json
import logging
import re
from typing import Any

from celery import Celery, signals
from flask import Flask

from ..base_settings import ServiceSettings
from ..observability import logs
from .tasks import MAX_BACKOFF_SECONDS, ServiceTask

NAME = "{{ cookiecutter.__package }}"
SECONDS_TO_CLEAN_UP = 5
CLIENT_SECONDS = 3

# Options of the transports of Redis (socket_..., unacked_...) and of RabbitMQ (the others). Who
# publishes fails when the broker does not respond soon; a worker waits for it.
WAITS = ("socket_connect_timeout", "socket_timeout", "read_timeout", "write_timeout")
CLIENT = dict.fromkeys(WAITS, CLIENT_SECONDS) | {"max_retries": 0, "confirm_publish": True}
WORKER: dict[str, Any] = {
    **{"max_retries": None, "socket_timeout": 10, "socket_keepalive": True},
    **{"unacked_restore_throttle": 1, "read_timeout": None, "write_timeout": None},
}

# Arguments can be personal data: neither logs nor monitors such as Flower show them. See
# https://docs.celeryq.dev/en/stable/userguide/tasks.html#hiding-sensitive-information-in-arguments
HIDDEN = {"argsrepr": "(...)", "kwargsrepr": "{...}"}
# These two log whole messages: those that a worker drops, and at the level `debug` all others.
MESSAGE_LOGGERS = ("celery.worker.consumer.consumer", "celery.pool")
CONTENTS = re.compile(r"\n\n(?:The full contents|body:).*| \(args:.*", re.DOTALL)


class ServiceCelery(Celery):
    """The Celery application of a Flask application: `app.extensions["celery"]`."""

    def __init__(self, app: Flask, settings: ServiceSettings) -> None:
        super().__init__(NAME, task_cls=ServiceTask, set_as_current=False)
        self.flask_app, self.settings = app, settings
        self.conf.update(
            broker_url=broker_address(settings.broker_url.get_secret_value()),
            broker_connection_timeout=CLIENT_SECONDS,
            broker_connection_max_retries=None,
            broker_connection_retry_on_startup=True,
            task_default_queue=NAME,
            task_ignore_result=True,
            task_publish_retry=False,
            # A message goes when its task has ended; that of a lost worker is delivered again.
            task_acks_late=True,
            task_reject_on_worker_lost=True,
            task_retry_on_worker_lost=True,
            worker_prefetch_multiplier=1,
            # The first limit raises an error in the task, the second ends its process.
            task_soft_time_limit=settings.job_seconds,
            task_time_limit=settings.job_seconds + SECONDS_TO_CLEAN_UP,
            worker_send_task_events=True,
        )
        self.conf.update(json.loads(settings.celery))
        limit = self.conf.task_time_limit
        transport = {"visibility_timeout": MAX_BACKOFF_SECONDS + 3 * limit} | CLIENT
        self.conf.broker_transport_options = transport | self.conf.broker_transport_options
        visibility = self.conf.broker_transport_options["visibility_timeout"]
        self.silence_seconds = visibility + 2 * limit  # then a task is published again

    def send_task(self, *args: Any, **options: Any) -> Any:
        """Publish a task as Celery does, with a message whose headers hide its arguments."""
        return super().send_task(*args, **HIDDEN | options)


def init_app(app: Flask, settings: ServiceSettings) -> None:
    """Set up Celery for the application, and for `@shared_task`.

    As in https://flask.palletsprojects.com/patterns/celery/
    """
    celery = ServiceCelery(app, settings)
    celery.set_default()
    app.extensions["celery"] = celery


def make_worker(app: Flask) -> ServiceCelery:
    """Return the application's Celery, set up to run tasks."""
    celery: ServiceCelery = app.extensions["celery"]
    celery.conf.broker_transport_options |= WORKER
    if celery.conf.broker_url.startswith("redis"):
        celery.conf.broker_transport = f"{__package__}.redis_transport:Transport"
    signals.setup_logging.connect(lambda **_: logs.configure(celery.settings), weak=False)
    for name in MESSAGE_LOGGERS:
        logging.getLogger(name).addFilter(hide_contents)
    return celery


def hide_contents(record: logging.LogRecord) -> bool:
    """Cut the contents of a message, and so the arguments of its task, from a line of Celery."""
    record.msg, record.args = CONTENTS.sub("", record.getMessage()), ()
    return True


def broker_address(url: str) -> str:
    """Return the URL with which Celery checks the certificate of a Redis with TLS."""
    if not url.startswith("rediss:") or "ssl_cert_reqs=" in url:
        return url
    return f"{url}{'&' if '?' in url else '?'}ssl_cert_reqs=required"
