"""Whatever names are chosen, the formatter and the linter leave the project as it is."""

import subprocess
from pathlib import Path

import pytest

from .baked import Bake, BakedProject
from .checks import CHECKS
from .environments import Environment
from .names import NAMES
from .variants import Variant

pytestmark = pytest.mark.one_for_each_engine

OF_NAMES = ("jinja_leftovers", "blank_line_leftovers", "unparsable_files", "dead_references")


@pytest.fixture(scope="module")
def projects(variant: Variant, session_bake: Bake) -> list[BakedProject]:
    """A project for each pair of a resource and a slug."""
    return [
        session_bake(
            **variant.choices,
            project_slug=slug,
            resource=resource.one,
            resource_plural=resource.many,
        )
        for resource, slug in NAMES
    ]


@pytest.mark.parametrize("command", [("format", "--check"), ("check", "--no-fix")], ids=" ".join)
def test_ruff_leaves_every_name_as_it_is(
    projects: list[BakedProject], environment: Environment, command: tuple[str, ...]
) -> None:
    paths = [str(project.path) for project in projects]
    assert len(set(paths)) == len(NAMES)
    ruff = [str(environment.program("ruff")), *command, "--no-cache", "--output-format", "concise"]
    done = subprocess.run([*ruff, *paths], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr


@pytest.mark.parametrize("name", OF_NAMES)
def test_check_of_every_name(projects: list[BakedProject], name: str) -> None:
    faults = [fault for project in projects for fault in CHECKS[name](project)]
    assert not faults, "\n".join(faults)


def test_names_are_used(projects: list[BakedProject]) -> None:
    for project in projects:
        folder = project.source / project.answers["resource_plural"]
        assert (folder / "models.py").is_file()
        assert f"class {project.answers['__class']}(Base)" in read(folder / "models.py")


def read(path: Path) -> str:
    """The text of a file."""
    return path.read_text(encoding="utf-8")
