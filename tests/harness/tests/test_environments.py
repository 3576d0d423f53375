"""When a virtual environment is made."""

from pathlib import Path

import pytest

from tests.harness import environments
from tests.harness.environments import Environment, locked, shared_environment


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Which environments were made; here that takes no time."""
    paths = []

    def make(environment: Environment, *_: str) -> None:
        environment.path.mkdir(exist_ok=True)
        paths.append(environment.path)

    monkeypatch.setattr(environments, "_make", make)
    return paths


def test_an_environment_is_made_once(tmp_path: Path, made: list[Path]) -> None:
    first = shared_environment(tmp_path / "build")
    second = shared_environment(tmp_path / "build")

    assert first == second
    assert made == [first.path]


def test_other_requirements_want_another_environment(
    tmp_path: Path, made: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    first = shared_environment(tmp_path / "build")
    monkeypatch.setattr(environments, "requirements", lambda: ["flask"])
    shared_environment(tmp_path / "build")

    assert made == [first.path, first.path]


def test_the_environment_of_another_checkout_is_used_as_it_is(
    tmp_path: Path, made: list[Path]
) -> None:
    (tmp_path / "of-another").mkdir()
    (tmp_path / "build").symlink_to(tmp_path / "of-another")

    environment = shared_environment(tmp_path / "build")

    assert environment.path.parent == tmp_path / "build"
    assert made == []


def test_the_folder_of_a_lock_may_be_new(tmp_path: Path) -> None:
    with locked(tmp_path / "build" / "images.lock"):
        assert (tmp_path / "build").is_dir()
