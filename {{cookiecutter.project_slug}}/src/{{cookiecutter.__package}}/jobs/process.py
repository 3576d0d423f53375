"""What `jobs work` runs: Celery's worker, and beside it what hands it the jobs that are due."""

import logging
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from flask import Flask
from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from ..base_settings import ServiceSettings
from ..database import db
from .celery_app import SECONDS_TO_CLEAN_UP, publisher
from .outbox import BATCH, Publish, publish_due, read_backlog

log = logging.getLogger(__name__)

SECONDS_BETWEEN_LOOKS = 0.5
SECONDS_AFTER_A_FAULT = 2.0


class Stop:
    """Whether the process was told to stop, by TERM or Ctrl-C."""

    def __init__(self) -> None:
        self.is_told = False

    def tell(self, _signal: int = 0, _frame: FrameType | None = None) -> None:
        """Take note of it, and no more: a signal comes in the middle of anything."""
        self.is_told = True


def node_name() -> str:
    """What the worker of this machine is called, and answers to."""
    return f"{{ cookiecutter.__package }}@{socket.gethostname()}"


def worker_command(settings: ServiceSettings) -> list[str]:
    """How Celery's worker is started, in as many processes as the service has."""
    return [
        sys.executable,
        *("-m", "celery", "--quiet", "--app"),
        "{{ cookiecutter.__package }}.worker",
        *("worker", "--hostname", node_name(), "--concurrency", str(settings.workers)),
        *("--without-gossip", "--without-mingle"),
    ]


def work(app: Flask, settings: ServiceSettings, command: list[str] | None = None) -> int:
    """Run until told to stop, or until the worker ends by itself; return its exit status.

    Jobs that run are finished first. Those that take longer than they may are due again later.
    """
    stop = Stop()
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    for number in before:
        signal.signal(number, stop.tell)
    try:
        with metrics_served(app, settings), worker(settings, command) as process:
            publish = publisher(settings)
            while process.poll() is None and not stop.is_told:
                time.sleep(look(app, publish, settings))
        return process.returncode
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def look(app: Flask, publish: Publish, settings: ServiceSettings) -> float:
    """Hand over what is due, and return in how many seconds to look again. Raises nothing."""
    try:
        published = publish_due(app, publish, settings.job_seconds)
    except Exception as error:
        log.warning("Jobs wait, they cannot be handed over: %s", type(error).__name__)
        return SECONDS_AFTER_A_FAULT
    return SECONDS_BETWEEN_LOOKS if published < BATCH else 0.0


@contextmanager
def worker(
    settings: ServiceSettings, command: list[str] | None = None
) -> Iterator["subprocess.Popen[bytes]"]:
    """Celery's worker while the block runs, in a process of its own. It ends in good order.

    In a session of its own, too: Ctrl-C is for us, who tell it.
    """
    process = subprocess.Popen(  # noqa: S603  no input of others
        command or worker_command(settings), start_new_session=True
    )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(settings.job_seconds + 2 * SECONDS_TO_CLEAN_UP)
        except subprocess.TimeoutExpired:
            log.warning("The worker did not stop in time: killed, its jobs are due again later")
            process.kill()
            process.wait()


@contextmanager
def metrics_served(app: Flask, settings: ServiceSettings) -> Iterator[None]:
    """Serve the backlog's metrics while the block runs, if a port is set for them."""
    if not settings.metrics_port:
        yield
        return
    registry = CollectorRegistry()
    registry.register(BacklogCollector(app))
    try:
        server, thread = start_http_server(settings.metrics_port, settings.metrics_host, registry)
    except OSError as error:
        where = f"{settings.metrics_host}:{settings.metrics_port}"
        raise RuntimeError(
            f"Metrics cannot be served on {where} ({error.strerror}); set METRICS_PORT, 0 for none."
        ) from None
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class BacklogCollector(Collector):
    """Looks at the table when it is asked; several workers say the same."""

    def __init__(self, app: Flask) -> None:
        self._app = app

    def describe(self) -> list[Metric]:
        """Nothing: or the database would be asked at the start."""
        return []

    def collect(self) -> Iterator[Metric]:
        """The metrics of the jobs."""
        with self._app.app_context():
            backlog = read_backlog(db.session())
        yield GaugeMetricFamily("jobs_waiting", "Jobs that are not done.", backlog.waiting)
        yield GaugeMetricFamily(
            "jobs_given_up", "Jobs that failed too often, and wait for you.", backlog.given_up
        )
        yield GaugeMetricFamily(
            "jobs_lag_seconds",
            "For how long the job that is due longest has waited.",
            backlog.lag_seconds,
        )
