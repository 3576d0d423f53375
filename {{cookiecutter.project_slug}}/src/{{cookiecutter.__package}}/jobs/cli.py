"""The commands for jobs: `flask --app {{ cookiecutter.__package }} jobs --help`."""

import signal
from threading import Event
from uuid import UUID

import click
from flask import current_app
from sqlalchemy import Delete, Select, Update, delete, func, select, update

from ..database import db
from ..database.cli import CommandGroup
from .models import Job, JobState, change_rows, count_jobs

MAX_LISTED = 100

jobs = CommandGroup("jobs", help="Background jobs: publish them, and see to those that failed.")
job_ids = click.argument("job_ids", type=click.UUID, nargs=-1)
all_failed = click.option("--all", "all_failed", is_flag=True, help="All that failed.")


@jobs.command()
def relay() -> None:
    """Publish tasks that are due until TERM or Ctrl-C. Several may run at once."""
    from .relay import run, serve_metrics

    celery, stop = current_app.extensions["celery"], Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    serve_metrics(celery)
    run(celery, stop)


@jobs.command("list")
def list_jobs() -> None:
    """List the tasks that are not done, those due first at the top."""
    _list(select(Job).where(Job.state != JobState.FAILED).order_by(Job.due_at))


@jobs.command()
def failed() -> None:
    """List the tasks that failed for the last time, the newest failure first."""
    _list(select(Job).where(Job.state == JobState.FAILED).order_by(Job.heard_at.desc()))


@jobs.command()
@job_ids
@all_failed
def retry(job_ids: tuple[UUID, ...], all_failed: bool) -> None:
    """Run failed tasks again."""
    again = update(Job).where(Job.state == JobState.FAILED).values(state=JobState.WAITING)
    again = again.values(due_at=func.current_timestamp(), retries=0, runs=0)
    _change(again, job_ids, all_failed, "due again")


@jobs.command()
@job_ids
@all_failed
def discard(job_ids: tuple[UUID, ...], all_failed: bool) -> None:
    """Delete failed tasks, which shall not run again."""
    _change(delete(Job).where(Job.state == JobState.FAILED), job_ids, all_failed, "discarded")


@jobs.command()
def stats() -> None:
    """Count the tasks of each queue and state, with the time when the first was due."""
    for queue, state, number, due_at in count_jobs(db.session()):
        click.echo(f"{queue}  {state:7}  {number:6}  first due {due_at:%Y-%m-%d %H:%M:%S}")


def _list(statement: Select[Job]) -> None:
    found = db.session.scalars(statement.limit(MAX_LISTED + 1)).all()
    for job in found[:MAX_LISTED]:
        click.echo(
            f"{job.id}  {job.state:7}  due {job.due_at:%Y-%m-%d %H:%M:%S}  retries {job.retries:2}"
            f"  {job.queue}  {job.task}  {job.error or ''}"
        )
    if len(found) > MAX_LISTED:
        click.echo("... and more")


def _change(
    change: Update | Delete, job_ids: tuple[UUID, ...], all_failed: bool, outcome: str
) -> None:
    if all_failed == bool(job_ids):
        raise click.UsageError("Name jobs, or say --all.")
    count = change_rows(db.session(), change if all_failed else change.where(Job.id.in_(job_ids)))
    db.session.commit()
    click.echo(f"{count} tasks are {outcome}.")
