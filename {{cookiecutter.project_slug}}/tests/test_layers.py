"""The layers of the service: pyproject.toml lists them, and import-linter reads the imports."""

import sys
from collections.abc import Callable
from pathlib import Path
from shutil import copytree, ignore_patterns

import pytest
from importlinter.cli import lint_imports

from .support.programs import PROJECT

PACKAGE = "{{ cookiecutter.__package }}"

CheckLayers = Callable[[Path], int]

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
    "housekeeping imports a resource": ("housekeeping.py", "from .resources import RESOURCES"),
}


@pytest.fixture
def check_layers(monkeypatch: pytest.MonkeyPatch) -> CheckLayers:
    """Do what `lint-imports` does with the package in a folder, and return its exit status."""

    def check(source: Path) -> int:
        monkeypatch.syspath_prepend(str(source))
        monkeypatch.delitem(sys.modules, PACKAGE)  # the linter looks for it, and imports nothing
        monkeypatch.setattr("logging.config.dictConfig", dict)  # it would disable our loggers
        return lint_imports(str(PROJECT / "pyproject.toml"), no_cache=True, no_logo=True)

    return check


def test_every_import_goes_down_the_layers(check_layers: CheckLayers) -> None:
    assert check_layers(PROJECT / "src") == 0


@pytest.mark.parametrize("violation", VIOLATIONS)
def test_a_violation_is_found(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    check_layers: CheckLayers,
    violation: str,
) -> None:
    file, statement = VIOLATIONS[violation]
    copytree(PROJECT / "src", tmp_path / "src", ignore=ignore_patterns("__pycache__"))
    path = tmp_path / "src" / PACKAGE / file
    path.write_text(f"{path.read_text()}\n{statement}\n")

    assert check_layers(tmp_path / "src") == 1
    assert "BROKEN" in capsys.readouterr().out


def test_models_may_refer_to_each_other(tmp_path: Path, check_layers: CheckLayers) -> None:
    copytree(PROJECT / "src", tmp_path / "src", ignore=ignore_patterns("__pycache__"))
    # No resource of a project has such a name, with two underscores.
    for name, other in (("one__x", "two__x"), ("two__x", "one__x")):
        folder = tmp_path / "src" / PACKAGE / "resources" / name
        folder.mkdir()
        (folder / "__init__.py").touch()
        (folder / "models.py").write_text(f"from ..{other} import models\n")

    assert check_layers(tmp_path / "src") == 0
