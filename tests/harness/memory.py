"""Keeps the temporary files of projects in memory during a run, if there is enough of it.

The suite of a project starts its own server and creates about forty databases on it, each of some
hundred files. On a disk this takes a third of the run's CPU time.
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
    """Return whether the folder has `enough` bytes and programs may run from it."""
    if not os.access(folder, os.W_OK | os.X_OK):
        return False
    found = os.statvfs(folder)
    return found.f_bavail * found.f_frsize >= enough and not found.f_flag & os.ST_NOEXEC


def variables() -> dict[str, str]:
    """Return the variables that put a project's temporary files in memory, if it has room."""
    return {"TMPDIR": os.environ[VARIABLE]} if VARIABLE in os.environ else {}


def remove_left_behind(memory: Path) -> None:
    """Remove the folders of runs that were killed; nothing else frees their memory."""
    for folder in memory.glob("proof-*-*"):
        process = folder.name.split("-")[1]
        is_ours = process.isdigit() and folder.stat().st_uid == os.getuid()
        if is_ours and not Path("/proc", process).exists():
            shutil.rmtree(folder, ignore_errors=True)


def pytest_configure(config: pytest.Config) -> None:
    """Create a folder for this run; its workers inherit it."""
    if VARIABLE not in os.environ and has_room(MEMORY):
        remove_left_behind(MEMORY)
        folder = Path(tempfile.mkdtemp(prefix=f"proof-{os.getpid()}-", dir=MEMORY))
        folder.chmod(0o1777)  # like the system's: servers of other accounts delete their own files
        os.environ[VARIABLE] = str(folder)
        config.stash[SESSION] = folder


def pytest_unconfigure(config: pytest.Config) -> None:
    """Remove the folder in the process that created it."""
    if folder := config.stash.get(SESSION, None):
        del os.environ[VARIABLE]
        shutil.rmtree(folder, ignore_errors=True)
