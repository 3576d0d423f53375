import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.harness import memory
from tests.harness.baked import clean_environment
from tests.harness.variants import ROOT

# Runs in a folder of its own, with a folder beside it in the place of memory: what projects get.
SHOW_THE_FOLDER = """
import os
from pathlib import Path

from tests.harness import memory
from tests.harness.baked import clean_environment

memory.MEMORY = Path(__file__).parent / "memory"
memory.MEMORY.mkdir()
pytest_plugins = ["tests.harness.memory"]

def test_it():
    folder = Path(clean_environment({})["TMPDIR"])
    assert folder.parent == memory.MEMORY
    assert folder.stat().st_mode & 0o7777 == 0o1777
    (folder / "file").touch()
"""


def test_a_folder_with_room_is_used(tmp_path: Path) -> None:
    assert memory.has_room(tmp_path, enough=1)


def test_a_folder_without_room_is_not_used(tmp_path: Path) -> None:
    assert not memory.has_room(tmp_path, enough=2**60)


def test_a_missing_folder_is_not_used(tmp_path: Path) -> None:
    assert not memory.has_room(tmp_path / "none", enough=1)


def test_a_folder_that_does_not_allow_programs_is_not_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = os.statvfs(tmp_path)
    values = [*found]
    values[8] = found.f_flag | os.ST_NOEXEC
    monkeypatch.setattr(os, "statvfs", lambda _folder: os.statvfs_result(values))
    assert not memory.has_room(tmp_path, enough=1)


def test_the_folder_of_a_killed_run_is_removed(tmp_path: Path) -> None:
    killed = subprocess.Popen(["true"])
    killed.wait()
    ours, theirs = tmp_path / f"proof-{os.getpid()}-a", tmp_path / f"proof-{killed.pid}-b"
    of_others = tmp_path / "proof-of-something"
    for folder in (ours, theirs, of_others):
        folder.mkdir()

    memory.remove_left_behind(tmp_path)

    assert sorted(tmp_path.iterdir()) == sorted([ours, of_others])


def test_projects_keep_temporary_files_in_memory_until_the_run_ends(tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text(SHOW_THE_FOLDER, encoding="utf-8")
    variables = clean_environment({"PYTHONPATH": str(ROOT)})
    variables.pop(memory.VARIABLE, None)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_it.py"],
        cwd=tmp_path,
        env=variables,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "1 passed" in done.stdout, done.stdout + done.stderr
    assert list((tmp_path / "memory").iterdir()) == []
