"""The ways to call cookiecutter: with a configuration file, by replay, with typing errors."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.harness.baked import BakedProject, clean_environment
from tests.harness.variants import CHOICES, ROOT

PROGRAM = Path(sys.executable).with_name("cookiecutter")

CONFIGURATION = """\
default_context:
  project_name: "Größe & Söhne: 100 % {{ x }}"
  project_slug: groesse
  author_name: "Jörg O'Neil"
  database: mariadb
  ci: none
  setup: "no"
"""


@pytest.fixture
def configuration(tmp_path: Path) -> Path:
    """A configuration file with some answers and a folder for cookiecutter's replay files."""
    file = tmp_path / "configuration.yaml"
    replay = f"replay_dir: '{tmp_path / 'replay'}'\n"
    file.write_text(CONFIGURATION + replay, encoding="utf-8")
    return file


def cookiecutter(
    folder: Path, configuration: Path, *arguments: str, status: int = 0
) -> subprocess.CompletedProcess[str]:
    """Run cookiecutter in the folder; it has to exit with this status."""
    folder.mkdir(parents=True, exist_ok=True)
    done = subprocess.run(
        [PROGRAM, ROOT, "--config-file", configuration, *arguments],
        cwd=folder,
        env=clean_environment({}),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == status, done.stdout + done.stderr
    return done


def contents(folder: Path) -> dict[str, bytes]:
    """Return all files of a project except the one with its secret."""
    project = BakedProject(folder, {})
    return {
        project.name_of(path): path.read_bytes() for path in project.files if path.name != ".env"
    }


def test_answers_come_from_the_configuration_file(tmp_path: Path, configuration: Path) -> None:
    cookiecutter(tmp_path / "made", configuration, "--no-input")

    project = tmp_path / "made" / "groesse"
    table = tomllib.loads((project / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert table["authors"][0]["name"] == "Jörg O'Neil"
    assert (project / "src/groesse/database/mariadb.py").exists()
    assert not (project / ".github").exists()
    title = (project / "README.md").read_text(encoding="utf-8").splitlines()[0]
    assert title == "# Größe & Söhne: 100 % {{ x }}"


def test_the_command_line_overrides_the_configuration_file(
    tmp_path: Path, configuration: Path
) -> None:
    cookiecutter(tmp_path / "made", configuration, "--no-input", "database=postgresql")

    assert (tmp_path / "made/groesse/src/groesse/database/postgresql.py").exists()


def test_a_replay_generates_the_same_project(tmp_path: Path, configuration: Path) -> None:
    cookiecutter(tmp_path / "first", configuration, "--no-input", "resource=order_line")
    cookiecutter(tmp_path / "second", configuration, "--replay")
    [answers] = (tmp_path / "replay").glob("*.json")
    cookiecutter(tmp_path / "third", configuration, "--replay-file", str(answers))

    first = contents(tmp_path / "first/groesse")
    assert "src/groesse/resources/order_lines/models.py" in first
    assert contents(tmp_path / "second/groesse") == first
    assert contents(tmp_path / "third/groesse") == first
    secrets = {path.read_bytes() for path in tmp_path.glob("*/groesse/.env")}
    assert len(secrets) == 3


def test_the_answers_of_a_project_generate_it_again(tmp_path: Path, configuration: Path) -> None:
    """The answers in docs/template.yaml are enough, and nothing is set up."""
    cookiecutter(tmp_path / "first", configuration, "--no-input", "resource=order_line")
    answers = tmp_path / "first/groesse/docs/template.yaml"
    cookiecutter(tmp_path / "second", answers, "--no-input")

    assert contents(tmp_path / "second/groesse") == contents(tmp_path / "first/groesse")
    noted = re.findall(r"^  (\w+): ", answers.read_text(encoding="utf-8"), re.MULTILINE)
    assert {"project_name", "resource_plural", "setup", *CHOICES} <= set(noted)


@pytest.mark.parametrize("prompt", CHOICES)
def test_an_unknown_choice_is_rejected_with_a_sentence(
    prompt: str, tmp_path: Path, configuration: Path
) -> None:
    """Cookiecutter itself rejects it, below a traceback, before any hook runs."""
    answer = f"{prompt}=postgres"
    done = cookiecutter(tmp_path / "made", configuration, "--no-input", answer, status=1)

    sentence = f"postgres provided for choice variable {prompt}, but the choices are ["
    last = done.stderr.splitlines()[-1]
    assert sentence in last
    assert all(repr(choice) in last for choice in CHOICES[prompt])
    assert list((tmp_path / "made").iterdir()) == []
