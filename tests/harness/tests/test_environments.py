"""Virtual environments are created only when they are missing or out of date."""

from pathlib import Path

import pytest

from tests.harness import environments
from tests.harness.environments import Environment, locked, shared_environment


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The environments that were created; a stand-in creates them."""
    paths = []

    def make(environment: Environment, *_: str) -> None:
        environment.path.mkdir(exist_ok=True)
        paths.append(environment.path)

    monkeypatch.setattr(environments, "_make", make)
    return paths


def test_an_environment_is_created_once(tmp_path: Path, made: list[Path]) -> None:
    first = shared_environment(tmp_path / "build")
    second = shared_environment(tmp_path / "build")

    assert first == second
    assert made == [first.path]


def test_changed_requirements_create_a_new_environment(
    tmp_path: Path, made: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    first = shared_environment(tmp_path / "build")
    monkeypatch.setattr(environments, "requirements", lambda: ["flask"])
    shared_environment(tmp_path / "build")

    assert made == [first.path, first.path]


def test_the_environment_of_another_checkout_is_used_unchanged(
    tmp_path: Path, made: list[Path]
) -> None:
    (tmp_path / "of-another").mkdir()
    (tmp_path / "build").symlink_to(tmp_path / "of-another")

    environment = shared_environment(tmp_path / "build")

    assert environment.path.parent == tmp_path / "build"
    assert made == []


def test_a_lock_creates_its_folder(tmp_path: Path) -> None:
    with locked(tmp_path / "build" / "images.lock"):
        assert (tmp_path / "build").is_dir()


def test_a_checkout_of_flask_comes_before_the_installed_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "src" / "flask"
    package.mkdir(parents=True)
    (package / "app.py").touch()
    monkeypatch.setenv("FLASK_CHECKOUT", str(tmp_path))

    assert Environment(tmp_path).variables["PYTHONPATH"].split(":") == [
        str(tmp_path / "src"),
        "src",
    ]


def test_a_folder_without_flask_is_no_checkout(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FLASK_CHECKOUT", str(tmp_path))

    with pytest.raises(FileNotFoundError, match=r"FLASK_CHECKOUT=.* holds no src/flask/app\.py"):
        _ = Environment(tmp_path).variables
