"""Tasks of the tests that a worker does in a process of its own."""

import os
import time
from pathlib import Path

from sqlalchemy.orm import Session

from {{ cookiecutter.__package }}.jobs.jobs import task

from ...support.concurrency import wait_until
from ...support.probe import ProbeFactory


@task("tests.add_slowly")
def add_slowly(session: Session, *, folder: str) -> None:
    """Tell that it began, wait until the test lets it go on, and add a row."""
    Path(folder, "began").touch()
    wait_until(Path(folder, "go").exists)
    session.add(ProbeFactory.build())


@task("tests.add_at_last")
def add_at_last(session: Session, *, folder: str, code: str) -> None:
    """Fail the first time, and add a row the second."""
    session.add(ProbeFactory.build(code=code))
    session.flush()
    try:
        Path(folder, code).touch(exist_ok=False)
    except FileExistsError:
        return
    raise ArithmeticError("the first time")


@task("tests.be_killed")
def be_killed(session: Session, *, folder: str, code: str) -> None:
    """Tell which process it is and wait for its end the first time, and add a row the second."""
    session.add(ProbeFactory.build(code=code))
    note = Path(folder, code)
    if not note.exists():
        partial = note.with_suffix(".partial")
        partial.write_text(str(os.getpid()))
        partial.rename(note)
        time.sleep(60)
