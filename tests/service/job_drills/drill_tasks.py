"""The tasks of the drills, for the worker and for who asks for them."""

from pathlib import Path
from uuid import uuid4

from celery import shared_task
from my_service.database import db

from tests.support.concurrency import wait_until
from tests.support.probe import ProbeFactory


@shared_task(name="drill.add")
def add(name: str) -> None:
    """Add a row; two runs that were both committed would leave two."""
    db.session.add(ProbeFactory.build(name=name, code=str(uuid4())))


@shared_task(name="drill.touch")
def touch(file: str) -> None:
    """Create a file."""
    Path(file).touch()


@shared_task(name="drill.fail", max_retries=1, retry_backoff=1, retry_backoff_max=1)
def fail() -> None:
    """Fail each time."""
    raise ArithmeticError("each time")


@shared_task(name="drill.fail_when_told", max_retries=1, retry_backoff=1, retry_backoff_max=1)
def fail_when_told(folder: str) -> None:
    """Say that it has begun, wait, and fail."""
    began, go = Path(folder, "began"), Path(folder, "go")
    began.touch()
    wait_until(go.exists)
    began.unlink()
    raise ArithmeticError("as asked")
