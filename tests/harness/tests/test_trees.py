"""Variants share a run only if their tests see the same bytes."""

import shutil
from pathlib import Path

import pytest

from tests.harness.baked import Bake, BakedProject
from tests.harness.trees import claim, key_of
from tests.harness.variants import VARIANTS


@pytest.fixture
def copy(session_bake: Bake, tmp_path: Path) -> BakedProject:
    """A project that the test may change."""
    sound = session_bake(database="sqlite")
    path = tmp_path / sound.path.name
    shutil.copytree(sound.path, path)
    return BakedProject(path, sound.answers)


@pytest.mark.parametrize(
    "file", ["src/my_service/wsgi.py", "tests/conftest.py", "Makefile", "gunicorn.conf.py"]
)
def test_changed_code_makes_another_tree(copy: BakedProject, file: str) -> None:
    before = key_of(copy)
    with (copy.path / file).open("a", encoding="utf-8") as handle:
        handle.write("# changed\n")
    assert key_of(copy) != before


def test_a_new_dependency_makes_another_tree(copy: BakedProject) -> None:
    before = key_of(copy)
    text = copy.text("pyproject.toml").replace('"click>=', '"click>=1,>=')
    (copy.path / "pyproject.toml").write_text(text, encoding="utf-8")
    assert key_of(copy) != before


def test_a_changed_document_and_author_keep_the_tree(copy: BakedProject) -> None:
    before = key_of(copy)
    (copy.path / "README.md").write_text("Changed.\n", encoding="utf-8")
    text = copy.text("pyproject.toml").replace("Your Name", "My Name")
    (copy.path / "pyproject.toml").write_text(text, encoding="utf-8")
    assert key_of(copy) == before


def test_the_first_variant_that_claims_a_tree_proves_it(copy: BakedProject, tmp_path: Path) -> None:
    first, second, *_ = VARIANTS
    assert claim(tmp_path / "run", copy, first).is_ours
    assert claim(tmp_path / "run", copy, first).is_ours
    again = claim(tmp_path / "run", copy, second)
    assert not again.is_ours
    assert again.proved_by == str(first)
    assert claim(tmp_path / "another run", copy, second).is_ours
