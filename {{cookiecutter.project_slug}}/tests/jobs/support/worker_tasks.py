"""Tasks of the tests that a worker runs in a process of its own."""

import os
import signal
import time
from pathlib import Path

from celery import shared_task

from {{ cookiecutter.__package }}.database import db

from ...support.concurrency import wait_until
from ...support.probe import ProbeFactory


@shared_task(name="tests.add_slowly")
def add_slowly(folder: str) -> None:
    """Tell that it began, wait until the test lets it go on, and add a row."""
    Path(folder, "began").touch()
    wait_until(Path(folder, "go").exists)
    db.session.add(ProbeFactory.build())


@shared_task(name="tests.add_at_last", retry_backoff=1, retry_backoff_max=1)
def add_at_last(folder: str, code: str) -> None:
    """Fail the first time, and add a row the second."""
    db.session.add(ProbeFactory.build(code=code))
    db.session.flush()
    try:
        Path(folder, code).touch(exist_ok=False)
    except FileExistsError:
        return
    raise ArithmeticError("the first time")


@shared_task(name="tests.be_killed", default_retry_delay=1)
def be_killed(folder: str, code: str) -> None:
    """Tell which process it is and wait for its end the first time, and add a row the second."""
    db.session.add(ProbeFactory.build(code=code))
    note = Path(folder, code)
    if not note.exists():
        partial = note.with_suffix(".partial")
        partial.write_text(str(os.getpid()))
        partial.rename(note)
        time.sleep(60)


@shared_task(name="tests.tutorial")
def tutorial(x: int, y: int, folder: str) -> int:
    """Add numbers, as in Celery's tutorial."""
    Path(folder, str(x + y)).touch()
    return x + y


@shared_task(name="tests.kill_process", default_retry_delay=1, max_retries=1)
def kill_process() -> None:
    """End the process that runs it."""
    os.kill(os.getpid(), signal.SIGKILL)
