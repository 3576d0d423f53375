"""The formatter and the linter change nothing in a project, for any names and texts."""

import subprocess
from pathlib import Path

import pytest

from tests.checks import CHECKS
from tests.harness.baked import Bake, BakedProject
from tests.harness.environments import Environment
from tests.harness.names import (
    HOSTILE_TEXTS,
    LONGEST_RESOURCE,
    LONGEST_SLUG,
    LONGEST_TEXTS,
    NAMES,
)
from tests.harness.variants import Variant

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


@pytest.fixture(scope="module")
def projects_of_texts(variant: Variant, session_bake: Bake) -> list[BakedProject]:
    """A project with texts of the maximum length, and one with hostile texts."""
    texts = (LONGEST_TEXTS, {"project_slug": "my-service", **HOSTILE_TEXTS})
    return [session_bake(**variant.choices, **answers) for answers in texts]


@pytest.fixture(scope="module")
def projects_with_options(variant: Variant, session_bake: Bake) -> list[BakedProject]:
    """A project with the longest names and background jobs for each kind of authentication."""
    options = {"background_jobs": "celery", "ci": "gitlab"}
    return [
        session_bake(
            **{**variant.choices, **options, "auth": auth},
            project_slug=LONGEST_SLUG,
            resource=LONGEST_RESOURCE.one,
            resource_plural=LONGEST_RESOURCE.many,
        )
        for auth in ("api_key", "oidc")
    ]


@pytest.mark.slow
@pytest.mark.parametrize("command", [("format", "--check"), ("check", "--no-fix")], ids=" ".join)
def test_ruff_changes_nothing_for_any_name(
    projects: list[BakedProject],
    projects_of_texts: list[BakedProject],
    projects_with_options: list[BakedProject],
    environment: Environment,
    command: tuple[str, ...],
) -> None:
    all_projects = [*projects, *projects_of_texts, *projects_with_options]
    paths = [str(project.path) for project in all_projects]
    assert len(set(paths)) == len(NAMES) + 4
    ruff = [str(environment.program("ruff")), *command, "--no-cache", "--output-format", "concise"]
    done = subprocess.run([*ruff, *paths], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr


@pytest.mark.parametrize("name", OF_NAMES)
def test_checks_find_nothing_for_any_name(projects: list[BakedProject], name: str) -> None:
    errors = [error for project in projects for error in CHECKS[name](project)]
    assert not errors, "\n".join(errors)


def test_names_are_used(projects: list[BakedProject]) -> None:
    for project in projects:
        folder = project.source / "resources" / project.answers["resource_plural"]
        assert (folder / "models.py").is_file()
        assert f"class {project.answers['__class']}(Base)" in read(folder / "models.py")


def read(path: Path) -> str:
    """Return the text of a file."""
    return path.read_text(encoding="utf-8")
