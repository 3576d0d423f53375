"""What is done after the answer: a draft becomes active at the instant that it names."""

from uuid import UUID

from sqlalchemy import update
from sqlalchemy.orm import Session

from {{ cookiecutter.__package }}.clock import utc_now
from {{ cookiecutter.__package }}.jobs.jobs import enqueue, task

from ...support.probe.models import Probe, ProbeStatus
from ...support.probe.schemas import ProbeRead


def activate_when_available(
    session: Session,
    row: Probe | ProbeRead,
) -> None:
    """Let a draft become active when it is available; the caller commits both together."""
    if row.status == ProbeStatus.DRAFT and row.available_at is not None:
        enqueue(session, activate, row.available_at, row_id=str(row.id))


@task("tests.activate")
def activate(session: Session, *, row_id: str) -> None:
    """Make it active, unless it is gone, not a draft any more, or available only later.

    So it may be done twice, and in any order with changes of the row. A later instant has a job of
    its own. The row's version counts on: a change that is based on the draft gets 412.
    """
    model = Probe
    draft = ProbeStatus.DRAFT
    session.execute(
        update(model)
        .where(model.id == UUID(row_id), model.status == draft, model.available_at <= utc_now())
        .values(
            status=ProbeStatus.ACTIVE,
            version=model.version + 1,
            updated_at=utc_now(),
        )
    )
