"""Publishes tasks that are due: what was asked for in the database reaches the workers.

A receipt stays in the table until its task is done, so nothing is lost with the broker. How many
are published and not done is bounded for each queue: a backlog waits in the table, where other
queues pass it.
"""

import logging
import tempfile
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from functools import partial
from itertools import groupby
from operator import attrgetter
from pathlib import Path
from threading import Event
from typing import Any

from kombu.exceptions import OperationalError
from kombu.utils import json
from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector
from sqlalchemy import ColumnElement, func, select, update
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from ..database import db
from ..database.engine import cause_of
from ..database.transactions import run_in_transaction
from .celery_app import NAME, ServiceCelery
from .models import Job, JobState, count_jobs, database_time
from .receipts import note
from .tasks import RECEIPT

log = logging.getLogger(__name__)

SECONDS_BETWEEN_LOOKS = 0.2
SECONDS_AFTER_AN_ERROR = 2.0
CLAIM_SECONDS = 30
"""How long a relay has for what it publishes; if it is killed meanwhile, another one goes on."""

# What is said of a broker: phrases of its clients that hold no value and no secret.
CAUSES = (
    "access_refused",
    "authentication required",
    "certificate verify failed",
    "connection closed by server",
    "connection refused",
    "connection reset by peer",
    "database is int",
    "db index is out of range",
    "inequivalent arg",
    "invalid username-password pair",
    "maxmemory",
    "name or service not known",
    "network is unreachable",
    "no route to host",
    "not_allowed - vhost",
    "read only replica",
    "temporary failure in name resolution",
    "timed out",
    "timeout",
    "unable to persist",
    "wrong version number",
)

by_queue = attrgetter("queue")

PULSE = Path(tempfile.gettempdir(), f"{NAME}-relay")
"""Touched after each look: a liveness probe reads its age."""


class QueueError(Exception):
    """The broker rejects messages for some queues, such as one that has other options there."""

    def __init__(self, *queues: str) -> None:
        super().__init__(f"the broker rejects messages for {', '.join(queues)}")
        self.queues = queues


def run(celery: ServiceCelery, stop: Event) -> None:
    """Publish what is due until it is stopped; a broker or database that is down only delays it."""
    pause = 0.0
    resting: dict[str, float] = {}
    while not stop.wait(pause):
        pause = SECONDS_BETWEEN_LOOKS
        now = time.monotonic()
        resting = {queue: end for queue, end in resting.items() if end > now}
        try:
            publish_due(celery, partial(publish_batch, celery), resting)
        except QueueError as error:
            log.warning("Tasks wait, %s: %s", error, known_cause(error))
            resting |= dict.fromkeys(error.queues, now + SECONDS_AFTER_AN_ERROR)
        except Exception as error:
            log.warning("Tasks wait, they cannot be published: %s", known_cause(error))
            pause = SECONDS_AFTER_AN_ERROR
        with suppress(OSError):  # a probe that misses it restarts the relay, which loses nothing
            PULSE.touch()


def known_cause(error: Exception) -> str:
    """Return why nothing could be published, without values and secrets."""
    if isinstance(error, SQLAlchemyError):
        return cause_of(error)
    original = error.__cause__ or error
    said = str(original).lower()
    return ", ".join([type(original).__name__, *[each for each in CAUSES if each in said][:1]])


def publish_due(
    celery: ServiceCelery,
    publish: Callable[[Sequence[Job]], object],
    resting: Collection[str] = (),
) -> None:
    """Publish what is due, queue by queue but for those that rest, as far as the bound allows.

    No transaction is open while the broker is waited for. Raises what `publish` raises, after a
    `QueueError` when the other queues are done; what was not published is then due again.
    """
    with celery.flask_app.app_context():
        jobs, claimed_at = run_in_transaction(lambda session: _claim(session, celery, resting))
        waiting = [list(some) for _, some in groupby(sorted(jobs, key=by_queue), by_queue)]
        rejected: list[QueueError] = []
        try:
            for some in waiting.copy():
                try:
                    publish(some)
                except QueueError as error:
                    rejected.append(error)
                else:
                    waiting.remove(some)
                    _note_claimed(some, claimed_at, heard_at=func.current_timestamp())
        finally:
            if unsent := [job for some in waiting for job in some]:
                _note_claimed(unsent, claimed_at, state=JobState.WAITING)
        if rejected:
            queues = [queue for error in rejected for queue in error.queues]
            raise QueueError(*queues) from rejected[0].__cause__


def _note_claimed(jobs: Sequence[Job], claimed_at: datetime, **values: Any) -> None:
    """Change claimed receipts, but for those whose task has begun, and may have ended, by now."""
    mine = update(Job).where(
        Job.id.in_([job.id for job in jobs]),
        Job.state == JobState.SENT,
        Job.heard_at == claimed_at,
    )
    run_in_transaction(lambda session: session.execute(mine.values(values)))


def publish_batch(celery: ServiceCelery, jobs: Sequence[Job]) -> None:
    """Give tasks of a queue to the broker; one that cannot be made a message is failed.

    Raises QueueError if the broker does not take messages for this queue, and what its client
    raises if the broker cannot be used.
    """
    with celery.connection_for_write() as connection:
        producer: Any = celery.amqp.Producer(connection.default_channel)
        channel_errors: Any = connection.channel_errors
        errors: Any = (OperationalError, *connection.connection_errors, *channel_errors)
        errors = tuple(each for each in errors if each is not KeyError)  # of an unknown option
        with _naming(jobs[0].queue, channel_errors), producer.batch():
            for job in jobs:
                headers = {"request_id": job.request_id, "trace_id": job.trace_id}
                try:
                    args, kwargs, options = json.loads(job.payload)
                    options |= {"queue": job.queue, "retries": job.retries, "producer": producer}
                    options["headers"] = headers | (options.get("headers") or {}) | {RECEIPT: True}
                    celery.send_task(job.task, args, kwargs, task_id=str(job.id), **options)
                except Exception as error:  # whatever its options make Celery raise
                    cause = (isinstance(error, OperationalError) and error.__cause__) or error
                    if isinstance(cause, errors):
                        raise
                    log.exception("The task %s %s cannot be published", job.task, job.id)
                    note(celery, str(job.id), cause)


@contextmanager
def _naming(queue: str, channel_errors: tuple[type[Exception], ...]) -> Iterator[None]:
    """Raise QueueError for an error of the channel: the connection works, the queue does not."""
    try:
        yield
    except OperationalError as error:  # Celery's word for those after which a retry may help
        if not isinstance(error.__cause__, channel_errors):
            raise
        raise QueueError(queue) from error.__cause__
    except channel_errors as error:
        raise QueueError(queue) from error


def _claim(
    session: Session, celery: ServiceCelery, resting: Collection[str]
) -> tuple[Sequence[Job], datetime]:
    """Take what is due: new tasks of each queue, and those that were not heard of for too long.

    A claim looks like a task that was last heard of so long ago that it is soon published again.
    """
    now = database_time(session)
    silent_since = now - timedelta(seconds=celery.silence_seconds)
    claimed_at = silent_since + timedelta(seconds=CLAIM_SECONDS)
    bound = celery.settings.jobs_in_flight
    silent = (Job.state == JobState.SENT, Job.heard_at <= silent_since)
    jobs = _take(session, bound, *silent, Job.queue.not_in(resting))
    for queue in _waiting_queues(session):
        if queue in resting:
            continue
        sent = select(func.count()).where(Job.state == JobState.SENT, Job.queue == queue)
        room = max(0, bound - session.scalars(sent).one())
        due = (Job.state == JobState.WAITING, Job.queue == queue, Job.due_at <= now)
        jobs += _take(session, room, *due)
    if jobs:
        claimed = update(Job).where(Job.id.in_([job.id for job in jobs]))
        session.execute(claimed.values(state=JobState.SENT, heard_at=claimed_at))
    return jobs, claimed_at


def _take(session: Session, limit: int, *conditions: ColumnElement[bool]) -> list[Job]:
    """Return the jobs due first, locked, without those that another relay has just taken."""
    jobs = select(Job).where(*conditions).order_by(Job.due_at).limit(limit)
    return list(session.scalars(jobs.with_for_update(skip_locked=True)))


def _waiting_queues(session: Session) -> Iterator[str]:
    """Find the queues by jumps in the index: a DISTINCT would read a whole backlog."""
    name: str | None = ""
    while name is not None:
        first = select(func.min(Job.queue)).where(Job.state == JobState.WAITING, Job.queue > name)
        name = session.scalar(first)
        if name is not None:
            yield name


def serve_metrics(celery: ServiceCelery) -> None:
    """Serve the metrics of the table, if a port is set for them and free."""
    settings, registry = celery.settings, CollectorRegistry()
    registry.register(JobsCollector(celery))
    if settings.metrics_port:
        try:
            start_http_server(settings.metrics_port, settings.metrics_host, registry)
        except OSError as error:  # such as the port of the service, on the same machine
            place = f"{settings.metrics_host}:{settings.metrics_port}"
            log.error("The relay serves no metrics at %s: %s", place, error.strerror)


class JobsCollector(Collector):
    """Reads the table when it is asked; all relays say the same."""

    def __init__(self, celery: ServiceCelery) -> None:
        self._celery = celery

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Return how many jobs each queue has in each state, and how late it is.

        Nothing while the database cannot be asked, which is logged.
        """
        jobs = GaugeMetricFamily("jobs", "Tasks not done or failed.", labels=["queue", "state"])
        lag = GaugeMetricFamily("jobs_lag_seconds", "Delay of the first.", labels=["queue"])
        with self._celery.flask_app.app_context():
            try:
                now, counts = database_time(db.session()), count_jobs(db.session())
            except SQLAlchemyError as error:
                log.warning("Jobs are not measured: %s", cause_of(error))
                return
        for queue, state, number, due_at in counts:
            jobs.add_metric([queue, state], number)
            if state == JobState.WAITING:
                lag.add_metric([queue], max(0.0, (now - due_at).total_seconds()))
        yield from (jobs, lag)
