"""The task of the probes: a draft becomes active at the time that it names."""

from uuid import UUID

from celery import shared_task
from sqlalchemy import update
from sqlalchemy.orm import Session

from {{ cookiecutter.__package }}.clock import utc_now
from {{ cookiecutter.__package }}.database import db
from {{ cookiecutter.__package }}.jobs import enqueue

from ...support.probe.models import Probe, ProbeStatus
from ...support.probe.schemas import ProbeRead


def activate_when_available(session: Session, row: Probe | ProbeRead) -> None:
    """Make a draft active when it is available; the caller commits both together."""
    if row.status == ProbeStatus.DRAFT and row.available_at is not None:
        enqueue(session, activate.s(str(row.id)).set(eta=row.available_at))


@shared_task(name="_probes.activate")
def activate(row_id: str) -> None:
    """Make it active, unless it is gone, not a draft any more, or available only later."""
    draft = Probe.id == UUID(row_id), Probe.status == ProbeStatus.DRAFT
    db.session.execute(
        update(Probe)
        .where(*draft, Probe.available_at <= utc_now())
        .values(status=ProbeStatus.ACTIVE, version=Probe.version + 1, updated_at=utc_now())
    )
