"""The layers of the service: pyproject.toml lists them, and import-linter reads the imports."""

import os
import subprocess
import sys
from pathlib import Path
from shutil import copytree, ignore_patterns

import pytest

from .support.concurrency import SECONDS
from .support.programs import PROJECT

PACKAGE = "{{ cookiecutter.__package }}"
CHECK = "from importlinter.cli import lint_imports_command; lint_imports_command()"

VIOLATIONS = {
    "database imports web": ("database/column_types.py", "from ..web import problems"),
    "web imports a resource": ("web/etags.py", "from ..resources import RESOURCES"),
    "observability imports database": ("observability/logs.py", "from ..database import db"),
    "a circle": ("web/problems.py", "from . import error_handlers"),
    "a circle for the type checker": (
        "web/problems.py",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from . import error_handlers",
    ),
    "the settings import the engine": ("base_settings.py", "from .database import engine"),
    "commands import a resource": ("cli.py", "from .resources import RESOURCES"),
}


def check_layers(source: Path) -> subprocess.CompletedProcess[str]:
    """Run `lint-imports` on the package in this folder."""
    return subprocess.run(
        [sys.executable, "-c", CHECK, "--no-logo", "--no-cache"],
        cwd=PROJECT,
        env={**os.environ, "PYTHONPATH": str(source)},
        capture_output=True,
        text=True,
        check=False,
        timeout=SECONDS,
    )


def test_every_import_goes_down_the_layers() -> None:
    done = check_layers(PROJECT / "src")

    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("violation", VIOLATIONS)
def test_a_violation_is_found(tmp_path: Path, violation: str) -> None:
    file, statement = VIOLATIONS[violation]
    copytree(PROJECT / "src", tmp_path / "src", ignore=ignore_patterns("__pycache__"))
    path = tmp_path / "src" / PACKAGE / file
    path.write_text(f"{path.read_text()}\n{statement}\n")

    done = check_layers(tmp_path / "src")

    assert done.returncode == 1, done.stdout
    assert "BROKEN" in done.stdout


def test_models_may_refer_to_each_other(tmp_path: Path) -> None:
    copytree(PROJECT / "src", tmp_path / "src", ignore=ignore_patterns("__pycache__"))
    # No resource of a project has such a name, with two underscores.
    for name, other in (("one__x", "two__x"), ("two__x", "one__x")):
        folder = tmp_path / "src" / PACKAGE / "resources" / name
        folder.mkdir()
        (folder / "__init__.py").touch()
        (folder / "models.py").write_text(f"from ..{other} import models\n")

    done = check_layers(tmp_path / "src")

    assert done.returncode == 0, done.stdout
