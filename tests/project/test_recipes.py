"""Each recipe of a project's docs/recipes.md works: its blocks are applied and its tests run.

All of them are applied to one project, in the order of the page, whose resources the commands at
its top make.
"""

import re
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from tests.harness.baked import Bake, BakedProject
from tests.harness.documents import Block, blocks, sections
from tests.harness.environments import Environment, recipe_packages
from tests.harness.fixtures import BUILD
from tests.harness.resources import add_resources
from tests.harness.servers import database
from tests.harness.variants import Variant

from .changes import Team
from .suites import OPTIONS, QUICK, counted

pytestmark = pytest.mark.slow

DOCUMENT = "docs/recipes.md"
MAKE_RESOURCE = re.compile(r'^make resource name=(\w+) fields="([^"]+)"$', re.MULTILINE)
RATE_LIMITING = "Rate limiting"
HOT_LIST = "Rows instead of entities in a hot list"
WITHOUT_TESTS = {RATE_LIMITING, HOT_LIST}
"""Recipes that `test_rate_limits...`, tests of the resource and `benchmarks/recipes.py` prove."""

KIT_TESTS = (
    "tests/resources",
    "tests/test_layers.py",
    "tests/test_sentry.py",
    "tests/web/test_every_route.py",
    "tests/web/test_openapi.py",
    "tests/web/test_openapi_file.py",
    "tests/database/test_migrations.py::test_models_and_migrations_agree_in_a_fresh_process",
)
"""Tests that a change of a resource can break, and that of a recipe outside of its folder."""


def begin(project: BakedProject, environment: Environment) -> dict[str, list[Block]]:
    """Make the resources of the page, and return its recipes."""
    text = project.text(DOCUMENT)
    found = MAKE_RESOURCE.findall(text)
    assert [name for name, _ in found] == ["customer", "order"]
    for name, fields in found:
        add_resources(project, environment, [(name, f"{name}s", fields)])
    return {title: list(blocks(section)) for title, section in sections(text).items()}


def run_command(team: Team, command: str) -> None:
    """Run a command of the page; what `uv add` installs is there already."""
    for line in command.strip().splitlines():
        if line.startswith("uv add "):
            uv = Path(sys.executable).with_name("uv")
            team.run(uv, "add", "--frozen", *shlex.split(line)[2:])
            (team.project.path / ".venv" / "installed").touch()
        else:
            team.run(*shlex.split(line))


def apply(team: Team, recipe: list[Block]) -> None:
    """Apply a recipe, run its commands, and check that its code is laid out."""
    for block in recipe:
        if block.file:
            block.apply(team.project.path)
        elif block.language == "sh":
            run_command(team, block.text)
    team.run(".venv/bin/ruff", "check", "--fix-only", "--select=I", ".")
    team.run(".venv/bin/ruff", "format", "--check", ".")
    team.run(".venv/bin/ruff", "check", ".")


def check_types(team: Team) -> None:
    """Check layers and types of everything."""
    team.run(".venv/bin/lint-imports", "--no-logo", "--no-cache")
    team.python("-m", "mypy")


@pytest.fixture
def hire(environment: Environment, mypy_cache: Path, tmp_path: Path) -> Callable[..., Team]:
    """Gives a project to a team that also has the packages which recipes add."""

    def begin_work(project: BakedProject, url: str) -> Team:
        team = Team.of(project, environment, tmp_path / "changed", url, mypy_cache)
        [own] = (team.project.path / ".venv" / "lib").glob("python*/site-packages")
        (own / "recipes.pth").write_text(f"{recipe_packages(BUILD)}\n", encoding="utf-8")
        return team

    return begin_work


@pytest.mark.most_options
def test_all_recipes_work_together(
    variant: Variant,
    session_bake: Bake,
    environment: Environment,
    hire: Callable[..., Team],
    tmp_path: Path,
) -> None:
    project = session_bake(**variant.choices)
    with database(project, environment, tmp_path) as url:
        team = hire(project, url)
        recipes = begin(team.project, environment)
        for recipe in recipes.values():
            apply(team, recipe)
        team.make("openapi")
        check_types(team)
        said = team.python("-m", "pytest", *OPTIONS, "-rp", *QUICK, *KIT_TESTS)

    counted(said, 0)
    passed = re.findall(r"^PASSED (\S+?)::", said, re.MULTILINE)
    for title, recipe in recipes.items():
        own = [block.file for block in recipe if "/test_" in block.file]
        assert own or title in WITHOUT_TESTS, f"the recipe {title!r} has no test"
        assert set(own) <= set(passed), f"the tests of {title!r} did not run"


def test_each_recipe_is_sound_alone_and_all_are_without_options(
    bake: Bake, environment: Environment, hire: Callable[..., Team], tmp_path: Path
) -> None:
    team = hire(bake(deployment="none"), f"sqlite:///{tmp_path / 'development.db'}")
    recipes = begin(team.project, environment)

    for recipe in recipes.values():
        changed = {team.project.path / block.file for block in recipe if block.file}
        before = {path: path.read_bytes() for path in changed if path.exists()}
        apply(team, [block for block in recipe if block.file])
        for path in changed - before.keys():
            path.unlink()
        for path, content in before.items():
            path.write_bytes(content)
    for recipe in recipes.values():
        apply(team, [block for block in recipe if not block.text.startswith("make migration")])

    check_types(team)


def caddy(project: BakedProject) -> None:
    """The module is not a part of Caddy, so an image with it is built."""
    program = Path(sys.executable).with_name("caddy")
    command = (program, "adapt", "--adapter", "caddyfile", "--config", "Caddyfile")
    done = subprocess.run(command, cwd=project.path, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "rate_limit is not a registered directive" in done.stderr
    composed = yaml.safe_load(project.text("compose.yaml"))["services"]["proxy"]
    assert "image" not in composed
    assert f"FROM caddy:{PINNED}" in project.text(composed["build"]["dockerfile"])


def ingress(project: BakedProject) -> None:
    """The limit is an annotation, next to those that are there."""
    manifest = yaml.safe_load(project.text("deploy/kubernetes/ingress.yaml"))
    annotations = manifest["metadata"]["annotations"]
    assert annotations["nginx.ingress.kubernetes.io/limit-rps"] == "50"


PROXIES: dict[str, Callable[[BakedProject], None]] = {"docker": caddy, "kubernetes": ingress}
PINNED = "2.11.7"


@pytest.mark.parametrize("deployment", PROXIES)
def test_rate_limits_are_set_in_the_proxy_that_was_chosen(bake: Bake, deployment: str) -> None:
    database = "sqlite" if deployment == "docker" else "postgresql"
    project = bake(deployment=deployment, database=database)

    for block in blocks(sections(project.text(DOCUMENT))[RATE_LIMITING]):
        block.apply(project.path)

    PROXIES[deployment](project)
