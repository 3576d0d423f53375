"""Projects as a person makes them: by the command line, installed for real, run by `make`."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path

import pytest

from .baked import BakedProject, clean_environment
from .report import Proved
from .variants import ROOT, Variant

pytestmark = pytest.mark.slow

PROGRAMS = Path(sys.executable).parent


def generate(folder: Path, *answers: str, variables: dict[str, str] | None = None) -> str:
    """Generate a project by the command line and return what was printed; that has to end well."""
    command = [PROGRAMS / "cookiecutter", ROOT, "--no-input", "--output-dir", folder, *answers]
    done = subprocess.run(
        [str(part) for part in command],
        env=clean_environment({**on_path(), "HOME": str(folder), **(variables or {})}),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


def on_path() -> dict[str, str]:
    """What makes uv be found."""
    return {"PATH": f"{PROGRAMS}{os.pathsep}{os.environ['PATH']}"}


@pytest.mark.one_for_each_engine
def test_a_project_in_a_path_with_a_space_passes_its_own_make_test(
    variant: Variant, tmp_path: Path, proved: Proved
) -> None:
    folder = tmp_path / "my projects"
    folder.mkdir()
    said = generate(folder, "setup=no", *(f"{name}={value}" for name, value in variant.answers))
    assert "make run" in said
    project = BakedProject(folder / "my-service", {"__package": "my_service"})
    began = time.monotonic()
    done = project.run("make", "test", variables=on_path(), timeout=900)
    passed = re.findall(r"(\d+) passed", done.stdout)
    assert passed, done.stdout[-2000:]
    assert not re.search(r"\d+ (failed|skipped|error)", done.stdout), done.stdout[-2000:]
    seconds = round(time.monotonic() - began, 1)
    proved("suite", variant=str(variant), how="make test", tests=int(passed[-1]), seconds=seconds)
    project.run("make", "check", variables=on_path(), timeout=900)


def test_the_defaults_give_a_service_that_is_set_up_and_runs(
    tmp_path: Path, proved: Proved
) -> None:
    """`cookiecutter --no-input` alone: environment, packages, commit, migration, tests."""
    began = time.monotonic()
    said = generate(tmp_path)
    seconds = round(time.monotonic() - began, 1)
    found = re.search(r"(\d+) tests passed on SQLite", said)
    assert found, said
    assert "make run" in said
    project = BakedProject(tmp_path / "my-service", {"__package": "my_service"})
    done = project.run("git", "status", "--porcelain")
    assert done.stdout == ""
    how = "cookiecutter --no-input"
    proved("suite", variant="database=sqlite", how=how, tests=int(found[1]), seconds=seconds)
    with running(project, "make", "run") as said_by_it:
        connection = HTTPConnection(wait_for_address(said_by_it), timeout=10)
        connection.request("GET", "/api/v1/items")
        assert connection.getresponse().status == 200
        connection.close()


@contextmanager
def running(project: BakedProject, *command: str) -> Iterator[Path]:
    """Run a command of the project, and end it by Ctrl-C; it has to end cleanly."""
    log = project.path.parent / "log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            cwd=project.path,
            env=clean_environment(on_path()),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        yield log
        os.killpg(process.pid, signal.SIGINT)
        process.wait(30)
    except BaseException:
        os.killpg(process.pid, signal.SIGKILL)
        raise
    said = log.read_text(errors="replace")
    assert "Traceback" not in said, said
    with pytest.raises(ProcessLookupError):
        os.killpg(process.pid, 0)


def wait_for_address(log: Path, seconds: float = 60) -> str:
    """The address that a server says it listens on, once it does."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if found := re.search(r"http://(127\.0\.0\.1:\d+)", log.read_text(errors="replace")):
            return found[1]
        time.sleep(0.1)
    raise AssertionError(log.read_text(errors="replace"))


def test_without_uv_pip_installs_it(tmp_path: Path) -> None:
    """A machine that has Python and make, and neither uv nor git."""
    generate(tmp_path, "setup=no")
    project = BakedProject(tmp_path / "my-service", {"__package": "my_service"})
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in ("python3", "make", "sh", "env", "rm", "mkdir", "touch", "cp", "uname", "dirname"):
        found = shutil.which(name)
        assert found
        (programs / name).symlink_to(Path(sys.executable).resolve() if name == "python3" else found)
    project.run("make", "setup", variables={"PATH": str(programs)}, timeout=900)
