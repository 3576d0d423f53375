"""The commands for jobs: `flask --app {{ cookiecutter.__package }} jobs --help`.

Those that need Celery import it themselves: the service does without, and starts sooner.
"""

import sys
from uuid import UUID

import click
from flask import current_app
from flask.cli import AppGroup, with_appcontext
from sqlalchemy import delete, select, update
from sqlalchemy.exc import SQLAlchemyError

from ..base_settings import ServiceSettings
from ..clock import utc_now
from ..database import db
from ..database.revisions import current_revision, expected_revision
from .jobs import Job, change_rows

SECONDS_TO_ANSWER = 5.0
MOST_LISTED = 100


def make_commands(settings: ServiceSettings) -> AppGroup:
    """The group `jobs`."""
    group = AppGroup("jobs", help="The jobs that are done after the answer.")
    for command in (list_jobs, retry, remove):
        group.add_command(command)

    @group.command("work")
    def work_() -> None:
        """Do jobs until TERM or Ctrl-C; those that run are finished."""
        from .process import work

        app = current_app._get_current_object()  # type: ignore[attr-defined]
        try:
            sys.exit(work(app, settings))
        except RuntimeError as error:
            raise click.ClickException(str(error)) from None

    @group.command("ready")
    def ready() -> None:
        """Fail unless the worker of this machine answers, and the database is migrated."""
        from .celery_app import make_client
        from .process import node_name

        try:
            present = current_revision(db.session.connection())
        except SQLAlchemyError:
            raise click.ClickException("The database cannot be reached.") from None
        if present != expected_revision():
            raise click.ClickException("The database schema is not at the revision of this code.")
        try:
            answers = make_client(settings).control.ping([node_name()], timeout=SECONDS_TO_ANSWER)
        except Exception as error:
            raise click.ClickException(f"No broker answers: {type(error).__name__}.") from None
        if not answers:
            raise click.ClickException(f"The worker {node_name()} does not answer.")
        click.echo("ready")

    return group


@click.command("list")
@with_appcontext
def list_jobs() -> None:
    """Show the jobs that are not done: first those given up, then those due first."""
    first = select(Job).order_by(Job.due_at.is_not(None), Job.due_at, Job.id)
    jobs = db.session().scalars(first.limit(MOST_LISTED + 1)).all()
    for job in jobs[:MOST_LISTED]:
        state = f"due {job.due_at:%Y-%m-%d %H:%M:%S}" if job.due_at else "given up"
        click.echo(
            f"{job.id}  {state:23}  attempts {job.attempts:2}  {job.task}  {job.error or ''}"
        )
    if len(jobs) > MOST_LISTED:
        click.echo("... and more")


@click.command("retry")
@with_appcontext
@click.argument("job_id", type=click.UUID, required=False)
@click.option("--all", "is_all", is_flag=True, help="All that were given up.")
def retry(job_id: UUID | None, is_all: bool) -> None:
    """Let a job that was given up be done again, or all of them."""
    if is_all == (job_id is not None):
        raise click.UsageError("Name a job, or say --all.")
    given_up = update(Job).where(Job.due_at.is_(None))
    chosen = given_up if job_id is None else given_up.where(Job.id == job_id)
    again = chosen.values(due_at=utc_now(), attempts=0)
    session = db.session()
    count = change_rows(session, again)
    session.commit()
    click.echo(f"{count} jobs are due again.")


@click.command("delete")
@with_appcontext
@click.argument("job_id", type=click.UUID)
def remove(job_id: UUID) -> None:
    """Delete a job that shall not be done."""
    session = db.session()
    count = change_rows(session, delete(Job).where(Job.id == job_id))
    session.commit()
    click.echo(f"{count} jobs are deleted.")
