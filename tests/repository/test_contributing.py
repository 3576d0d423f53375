"""The checklists of CONTRIBUTING.md work: they are executed in a copy of this repository.

Those of a project's README are executed in tests/project/test_documents.py.
"""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.harness.baked import BakedProject, clean_environment
from tests.harness.documents import blocks, sections
from tests.harness.environments import Environment
from tests.harness.variants import CHOICES, ROOT

pytestmark = pytest.mark.slow

NOT_COPIED = (".git", ".venv", "build", "__pycache__", ".*_cache", ".hypothesis")
HOOKS = (
    "tests/generation/hooks/test_pre_gen_project.py",
    "tests/generation/hooks/test_post_gen_project.py",
    "tests/generation/hooks/test_names_in_use.py",
)
BUILD = ("make", "--quiet", "build/benchmarks/ready")


def follow(title: str, root: Path, document: Path) -> int:
    """Apply the changes of a section to a copy and return how many."""
    section = sections(document.read_text("utf-8"))[title]
    changes = [block for block in blocks(section) if block.file]
    for change in changes:
        change.apply(root)
    return len(changes)


class Copy:
    """A copy of this repository that tests change."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def run(self, *command: str | Path, status: int = 0) -> str:
        """Run a command in it and return the output."""
        done = subprocess.run(
            [str(part) for part in command],
            cwd=self.path,
            env=clean_environment({}),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        assert done.returncode == status, done.stdout[-5000:]
        return done.stdout

    def test(self, *arguments: str) -> None:
        """Run some of its tests."""
        self.run(sys.executable, "-m", "pytest", "-q", "--proof", self.path / "proof", *arguments)

    def bake(self, folder: Path, *answers: str) -> BakedProject:
        """Generate a project with it."""
        command = (sys.executable, "-m", "cookiecutter", ".", "--no-input", "setup=no")
        self.run(*command, "--output-dir", folder, *answers)
        return BakedProject(folder / "my-service", {"__package": "my_service"})


@pytest.fixture
def copy(environment: Environment, tmp_path: Path) -> Copy:
    """The repository, with the environments of this one."""
    folder = tmp_path / "copy"
    shutil.copytree(ROOT, folder, ignore=shutil.ignore_patterns(*NOT_COPIED))
    (folder / "build").symlink_to(environment.path.parent)
    (folder / ".venv").symlink_to(Path(sys.executable).parent.parent)
    return Copy(folder)


def test_a_prompt_is_added(copy: Copy, tmp_path: Path) -> None:
    assert follow("To add a prompt", copy.path, ROOT / "CONTRIBUTING.md") == 8

    copy.test("tests/generation/test_prompts.py", HOOKS[0], "-k", "not printable_text")
    copy.test("tests/repository/test_repository.py", "-k", "readme_lists")
    assert '\nversion = "0.1.0"\n' in copy.bake(tmp_path / "one").text("pyproject.toml")
    other = copy.bake(tmp_path / "other", "first_version=2.0.0")
    assert '\nversion = "2.0.0"\n' in other.text("pyproject.toml")


def test_an_option_is_added(copy: Copy, environment: Environment, tmp_path: Path) -> None:
    assert follow("To add an option", copy.path, ROOT / "CONTRIBUTING.md") == 13

    quick = "every_text_a_prompt or says_when or manifest or second_run or modules or rejected"
    copy.test("tests/generation/test_prompts.py", *HOOKS, "-k", quick)
    copy.test("tests/repository/test_repository.py", "-k", "readme_lists")
    nearest = " ".join(f"{name}={choices[0]}" for name, choices in CHOICES.items())
    copy.test("tests/generation/test_variants.py", "-k", "is_sound", "--only", nearest)
    project = copy.bake(tmp_path, "timing=yes")
    project.run(
        *(environment.python, "-m", "pytest", "-q", "tests/test_timing.py"),
        variables=environment.variables,
    )


def test_a_mutant_is_added(copy: Copy) -> None:
    title = "To add a guarantee, and the mutant that breaks it"
    assert follow(title, copy.path, ROOT / "CONTRIBUTING.md") == 1

    copy.test("tests/mutation/test_mutants.py", "-k", "(list and by and age) or unique_names")
    copy.run("make", "matrix")
    copy.test("tests/repository/test_matrix.py")
    assert "list by age without an index" in (copy.path / "docs" / "proof.md").read_text()
