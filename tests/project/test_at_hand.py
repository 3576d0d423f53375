"""The commands that a team has at hand: a shell, seeds, lint, types and format; interrupted tests.

Each is run by `make` in a project that is set up, on its development database.
"""

import os
import signal
import subprocess
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.harness.baked import Bake, CommandFailedError, clean_environment
from tests.harness.environments import Environment
from tests.harness.servers import database as new_database

from .changes import Team

pytestmark = [pytest.mark.slow, pytest.mark.about("database")]

IN_THE_SHELL = """
db.session.add(Item(name="from the shell"))
db.session.commit()
print("found:", db.session.scalars(select(Item.name)).all())
print("knows:", Item, IdempotencyKey)
"""

SEED = '''\
"""The rows of every demonstration."""

from sqlalchemy import select
from sqlalchemy.orm import Session

from at_hand.resources.items.models import Item


def seed(session: Session) -> None:
    """Add the two of every demonstration."""
    for name in ("Ada", "Grace"):
        if session.scalar(select(Item).where(Item.name == name)) is None:
            session.add(Item(name=name))
'''

# A test that never ends, with a program and the run's database; the files tell that it runs.
ENDLESS = """
import os
import threading
from pathlib import Path

from sqlalchemy import text
from sqlalchemy.orm import Session

from tests.support.programs import Program


def test_endless(session: Session, tmp_path: Path) -> None:
    session.execute(text("SELECT 1"))
    command = ("http.server", "0", "--bind", "127.0.0.1")
    server = Program(command, dict(os.environ), tmp_path / "output")
    try:
        Path("build/begun").touch()
        threading.Event().wait()
    finally:
        server.kill()
"""
SECONDS = 120


@pytest.fixture
def team(
    database: str, bake: Bake, environment: Environment, mypy_cache: Path, tmp_path: Path
) -> Iterator[Team]:
    """A team with a new project on this engine, with API keys and background jobs."""
    options = {"auth": "api_key", "background_jobs": "celery"}
    project = bake(database=database, project_slug="at-hand", **options)
    with new_database(project, environment, tmp_path) as url:
        yield Team.of(project, environment, tmp_path / "team", url, mypy_cache)


def fails(team: Team, *targets: str, **variables: str) -> str:
    """Run `make`, which has to fail, and return what it says."""
    with pytest.raises(CommandFailedError) as error:
        team.make(*targets, **variables)
    return str(error.value)


@pytest.mark.parametrize("database", ["postgresql"])
def test_shell_seeds_and_checks_of_a_new_project(team: Team) -> None:
    said = in_shell(team, IN_THE_SHELL)
    assert "found: ['from the shell']" in said
    assert f"{team.project.package}.web.idempotency.IdempotencyKey" in said

    team.make("seed")
    assert len(team.read_rows("items")["items"]) == 1, "a new project adds no row"
    team.project.path.joinpath("dev", "seed.py").write_text(SEED, encoding="utf-8")
    for _ in range(2):
        team.make("seed")
        names = [row["name"] for row in team.read_rows("items")["items"]]
        assert sorted(names) == ["Ada", "Grace", "from the shell"]
    team.project.path.joinpath("dev", "odd.py").write_text(
        '"""Odd."""\n\n\ndef add(first: int,   second: int) -> str:\n    """Add."""\n'
        "    return first\n",
        encoding="utf-8",
    )
    assert "1 file would be reformatted" in fails(team, "lint")
    assert 'expected "str"' in fails(team, "types")
    assert "ARG001" in fails(team, "format"), "it cannot fix all"
    assert "first: int, second: int" in team.project.text("dev/odd.py"), "but formats first"


def test_seeds_are_only_for_development(
    bake: Bake, environment: Environment, tmp_path: Path
) -> None:
    database = tmp_path / "precious.db"
    settings = {"ENVIRONMENT": "test", "DATABASE_URL": f"sqlite:///{database}"}
    done = bake().run(
        *(environment.python, "-m", "dev.run", "--seed"),
        variables={**environment.variables, **settings},
        status=2,
    )
    assert "ENVIRONMENT is test, but seeds are only for development" in done.stderr
    assert not database.exists()


def in_shell(team: Team, code: str) -> str:
    """Return the output of `make shell` with this input."""
    done = subprocess.run(
        ["make", "shell"],
        cwd=team.project.path,
        env=clean_environment({}),
        input=code,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize(
    ("database", "name", "workers"),
    [("sqlite", "TERM", "0"), ("postgresql", "INT", "0"), ("mariadb", "TERM", "1")],
)
def test_interrupted_tests_leave_no_process(team: Team, name: str, workers: str) -> None:
    folder = team.project.path
    (folder / "build").mkdir()
    (folder / "tests" / "test_endless.py").write_text(ENDLESS, encoding="utf-8")
    (folder / "openapi.json").touch()
    mark = f"MARK_OF_THE_RUN={uuid.uuid4().hex}"
    with subprocess.Popen(
        ["make", "test", f"args=-q -p no:cacheprovider -n {workers} tests/test_endless.py"],
        cwd=folder,
        env=clean_environment(dict([mark.split("=")])),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    ) as run:
        wait_until((folder / "build" / "begun").exists)
        running = processes_with(mark)
        assert len(running) >= 5, "make, pytest, a tracker, a fork server and a program"
        # Ctrl-C goes to all processes in the foreground of a terminal, TERM to one.
        (os.killpg if name == "INT" else os.kill)(run.pid, signal.Signals[f"SIG{name}"])
        try:
            said, _ = run.communicate(timeout=SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(run.pid, signal.SIGKILL)
            raise

    assert "KeyboardInterrupt" in said
    wait_until(lambda: not processes_with(mark))


def processes_with(variable: str) -> list[int]:
    """Return the processes with this variable in the environment that they were started with."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # it has ended meanwhile
            if variable.encode() in (folder / "environ").read_bytes().split(b"\0"):
                found.append(int(folder.name))
    return found


def wait_until(true: Callable[[], bool]) -> None:
    """Wait until it is true. Raises AssertionError after two minutes."""
    end = time.monotonic() + SECONDS
    while not true():
        assert time.monotonic() < end
        time.sleep(0.05)
