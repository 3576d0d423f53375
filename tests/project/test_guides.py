"""The guides from other applications in docs/ work: each step is taken from its page and followed.

The old application of the page runs with its own libraries and writes the rows that are copied.
"""

import re
import shlex
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.harness.baked import Bake, clean_environment
from tests.harness.environments import Environment, locked
from tests.harness.fixtures import BUILD
from tests.harness.variants import ROOT

from .changes import Team

pytestmark = [pytest.mark.slow, pytest.mark.about("database")]

# What the old applications import; each is the newest release at the time of writing.
LIBRARIES = (
    "flask-marshmallow==1.5.0",
    "flask-migrate==4.1.0",
    "flask-restful==0.3.10",
    "flask-sqlalchemy==3.1.1",
    "marshmallow-sqlalchemy==1.6.0",
)
STEP = re.compile(r"^```(python|sh|sql)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PLACE = re.compile(r"`([\w./]+\.py)`:\n\n$")

# Creates the tables as the old application's own commands do, then uses its routes.
USE_THE_OLD_ONE = """
import sys
import app as old

target, path, *bodies = sys.argv[1:]
app = old.create_app(target)
if hasattr(old, "migrate"):
    import flask_migrate
    with app.app_context():
        flask_migrate.init("migrations")
        flask_migrate.migrate("migrations", message="first")
        flask_migrate.upgrade("migrations")
for body in bodies:
    made = app.test_client().post(path, data=body, content_type="application/json")
    assert made.status_code == 201, made.text
"""


class Guide(NamedTuple):
    """A page, what is sent to its old application, and what the new one has after the copy."""

    page: str
    path: str
    bodies: tuple[str, ...]
    statement: str
    rows: list[tuple[Any, ...]]


GUIDES = (
    Guide(
        "from-flask-sqlalchemy.md",
        "/books",
        ('{"title": "Emma", "pages": 474}', '{"title": "Clarissa"}'),
        "SELECT old_id, title, pages FROM books ORDER BY 1",
        [(1, "Emma", 474), (2, "Clarissa", None)],
    ),
    Guide(
        "from-a-single-file.md",
        "/notes",
        ('{"text": "Buy milk"}', '{"text": "Sleep"}'),
        "SELECT old_id, text, done FROM notes ORDER BY 1",
        [(1, "Buy milk", 0), (2, "Sleep", 0)],
    ),
    Guide(
        "from-cookiecutter-flask-restful.md",
        "/api/v1/users",
        ('{"username": "ada", "email": "a@b.c"}', '{"username": "bob", "email": "b@b.c"}'),
        "SELECT old_id, username, active FROM users ORDER BY 1",
        [(1, "ada", 1), (2, "bob", 1)],
    ),
)


@pytest.fixture(scope="module")
def old_python() -> Path:
    """The interpreter of an environment with the libraries of the old applications."""
    folder = BUILD / "old-applications"
    uv = Path(sys.executable).with_name("uv")
    python, made = folder / "bin" / "python", folder / "made"
    with locked(BUILD / "old-applications.lock"):
        if not made.exists() or made.read_text(encoding="utf-8") != " ".join(LIBRARIES):
            for command in (
                (uv, "venv", "--quiet", "--clear", "--python", sys.executable, folder),
                (uv, "pip", "install", "--quiet", "--python", python, *LIBRARIES),
            ):
                done = subprocess.run(command, capture_output=True, text=True, check=False)
                assert done.returncode == 0, done.stderr
            made.write_text(" ".join(LIBRARIES), encoding="utf-8")
    return python


def rows_of(database: Path, statement: str) -> list[tuple[Any, ...]]:
    """Run a statement on a database file and return its rows."""
    with closing(sqlite3.connect(database)) as connection, connection:
        return connection.execute(statement).fetchall()


@pytest.fixture
def new_team(
    bake: Bake, environment: Environment, mypy_cache: Path, tmp_path: Path
) -> Callable[[str, str], Team]:
    """Return a function that runs a command of cookiecutter and gives a database to the project."""

    def make(command: str, url: str) -> Team:
        words = [word for word in shlex.split(command) if word.strip()]
        assert words[:3] == ["cookiecutter", "--no-input", "$TEMPLATE"]
        answers = dict(word.split("=", 1) for word in words[3:])
        return Team.of(bake(**answers), environment, tmp_path / "team", url, mypy_cache)

    return make


def use_the_old_one(python: Path, folder: Path, code: str, *arguments: str) -> None:
    """Run the old application in a new folder: create its tables, and send the bodies."""
    folder.mkdir()
    (folder / "app.py").write_text(code, encoding="utf-8")
    done = subprocess.run(
        [python, "-c", USE_THE_OLD_ONE, *arguments],
        cwd=folder,
        env=clean_environment({}),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("guide", GUIDES, ids=lambda guide: guide.page)
def test_each_step_of_a_guide_works(
    guide: Guide, old_python: Path, new_team: Callable[[str, str], Team], tmp_path: Path
) -> None:
    page = (ROOT / "docs" / guide.page).read_text(encoding="utf-8")
    (_, code, _), (_, generate, _), *steps = [
        (found[1], found[2], PLACE.search(page[: found.start()])) for found in STEP.finditer(page)
    ]
    database = tmp_path / "old.db"
    url = f"sqlite:///{database}"
    target = str(database) if "import sqlite3" in code else url
    use_the_old_one(old_python, tmp_path / "old", code, target, guide.path, *guide.bodies)

    team = new_team(generate, url)
    for language, text, place in steps:
        if language == "sql":
            rows_of(database, text)
        elif language == "sh":
            team.run("sh", "-ec", text)
            if "dev.copy" in text:
                team.run("sh", "-ec", text)  # it can run again
                assert rows_of(database, guide.statement) == guide.rows
        else:
            assert place, f"the page does not say where this goes: {text}"
            file = team.project.path / place[1]
            before = f"{file.read_text(encoding='utf-8')}\n\n" if file.exists() else ""
            file.write_text(before + text, encoding="utf-8")
