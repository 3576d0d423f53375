"""The documents of a project on resources and fields work when they are followed to the letter.

The commands are read from the README and from docs/resources.md, the code from docs/recipes.md.
After each change all that `make check` checks without tests is clean, and the tests of the
resources pass.
"""

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks import recipes
from tests.harness.baked import Bake
from tests.harness.environments import Environment

from .changes import Team, delete_lines, insert_fields, rename_in_lines

pytestmark = pytest.mark.slow

TEXT = re.MULTILINE | re.DOTALL
ORDER = (
    "number:string:40:unique total:decimal:12:2:min=0:index status:enum:draft:paid"
    " parent:ref:orders:optional"
)

QUICK_TESTS = (
    "tests/resources",
    "tests/web/test_openapi_file.py",
    "tests/database/test_migrations.py::test_models_and_migrations_agree_in_a_fresh_process",
)
"""The tests that a change of a resource can break."""


def commands(team: Team, document: str, title: str) -> list[str]:
    """Return the blocks of commands in a section, in order."""
    text = team.project.text(document)
    [section] = re.findall(rf"^## {title}\n(.*?)(?=^## |\Z)", text, TEXT)
    return [
        re.sub("^ +", "", body, flags=re.MULTILINE)
        for body in re.findall(r"^ *```sh\n(.*?)^ *```$", section, TEXT)
    ]


def follow(team: Team, block: str) -> str:
    """Run a block of commands; of the tests only those that the change can break."""
    quick = f"test args='-q -p no:cacheprovider {' '.join(QUICK_TESTS)}'"
    return team.run("sh", "-ec", re.sub(r"\btest$", lambda _: quick, block.strip()))


def add_field(team: Team, block: str) -> None:
    """Add the lines that `make field` prints, and run the commands that it prints last."""
    printed = follow(team, block)
    insert_fields(team.project.path, printed)
    follow(team, printed.partition("# then\n")[2])
    follow(team, "make test")


def is_clean(team: Team) -> None:
    """Check what `make check` does without tests: format, lint, layers and types."""
    recipe = team.run("make", "--dry-run", "check")
    *checks, tests = [line for line in recipe.splitlines() if line.startswith(".venv")]
    assert len(checks) == 4
    assert "pytest" in tests
    for check in checks:
        team.run(*check.split())


@pytest.fixture(params=[("item", "items", "name:string:unique"), ("order", "orders", ORDER)])
def team(
    request: pytest.FixtureRequest,
    bake: Bake,
    environment: Environment,
    mypy_cache: Path,
    tmp_path: Path,
) -> Iterator[Team]:
    """A team with a new project: with a resource of another name, and one called `order`."""
    resource, plural, fields = request.param
    project = bake(resource=resource, resource_plural=plural, fields=fields)
    url = f"sqlite:///{tmp_path / 'development.db'}"
    yield Team.of(project, environment, tmp_path / "changed", url, mypy_cache)
    shutil.rmtree(tmp_path / "changed", ignore_errors=True)


def test_resources_and_fields_are_added_changed_and_removed(team: Team) -> None:
    first, second = commands(team, "README.md", "Add a resource")
    assert " passed" in follow(team, first)
    assert " passed" in follow(team, second)

    delete, unapplied, applied, rest = commands(team, "README.md", "Remove a resource")
    if team.project.answers["resource"] == "item":
        follow(team, delete + unapplied + rest)
        is_clean(team)
        follow(team, second)
    team.database("upgrade")

    [field] = commands(team, "README.md", "Add a field")
    add_field(team, field)

    document = "docs/resources.md"
    [field] = commands(team, document, "Add a field")
    add_field(team, field)
    is_clean(team)
    team.database("upgrade")
    show, migrate = commands(team, document, "Rename a field")
    rename_in_lines(team, follow(team, show), "remark", "comment")
    follow(team, migrate)
    is_clean(team)
    team.database("upgrade")
    show, migrate = commands(team, document, "Drop a field")
    delete_lines(team, follow(team, show))
    follow(team, migrate)
    is_clean(team)
    team.database("upgrade")

    routes = team.resources / team.project.answers["resource_plural"] / "routes.py"
    code = recipes.follow(team.project.text("docs/recipes.md"), routes.read_text(encoding="utf-8"))
    routes.write_text(code, encoding="utf-8")
    follow(team, delete + applied + rest)
    is_clean(team)
    if team.project.answers["resource"] == "item":  # once: the kit's tests of such migrations
        team.make("test", args="-q -p no:cacheprovider -m 'not slow' tests/database")
