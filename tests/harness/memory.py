"""Where projects keep their temporary files while they are proved: in memory, if there is enough.

A test run begins with a server of its own and makes some forty databases on it, each of some
hundred files that nobody reads again. On a disk that is a third of the run's CPU time.
"""

import os
import shutil
import tempfile
from pathlib import Path

import pytest

MEMORY = Path("/dev/shm")  # noqa: S108 - what is made in it has a name of its own
VARIABLE = "PROOF_MEMORY"
ENOUGH = 2 * 1024**3
"""Bytes; the servers of a run take some hundred megabytes at once."""

SESSION = pytest.StashKey[Path]()


def has_room(folder: Path, enough: int = ENOUGH) -> bool:
    """Whether files can be kept there, and programs run that are copied there."""
    if not os.access(folder, os.W_OK | os.X_OK):
        return False
    found = os.statvfs(folder)
    return found.f_bavail * found.f_frsize >= enough and not found.f_flag & os.ST_NOEXEC


def variables() -> dict[str, str]:
    """What lets a project keep its temporary files in memory; nothing, where that has no room."""
    return {"TMPDIR": os.environ[VARIABLE]} if VARIABLE in os.environ else {}


def remove_left_behind(memory: Path) -> None:
    """Remove the folders of runs that were killed: nothing else gives their memory back."""
    for folder in memory.glob("proof-*-*"):
        process = folder.name.split("-")[1]
        is_ours = process.isdigit() and folder.stat().st_uid == os.getuid()
        if is_ours and not Path("/proc", process).exists():
            shutil.rmtree(folder, ignore_errors=True)


def pytest_configure(config: pytest.Config) -> None:
    """Make a folder for this run, which its workers inherit."""
    if VARIABLE not in os.environ and has_room(MEMORY):
        remove_left_behind(MEMORY)
        folder = Path(tempfile.mkdtemp(prefix=f"proof-{os.getpid()}-", dir=MEMORY))
        folder.chmod(0o1777)  # as that of the system: servers of other accounts remove theirs
        os.environ[VARIABLE] = str(folder)
        config.stash[SESSION] = folder


def pytest_unconfigure(config: pytest.Config) -> None:
    """Remove the folder, in the process that made it."""
    if folder := config.stash.get(SESSION, None):
        del os.environ[VARIABLE]
        shutil.rmtree(folder, ignore_errors=True)
