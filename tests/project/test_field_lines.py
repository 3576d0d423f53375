"""`make field` prints lines that work for each type and modifier, pasted where it says."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.harness.baked import Bake
from tests.harness.environments import Environment
from tests.harness.resources import add_resources
from tests.harness.servers import database

from .changes import Team, insert_fields
from .resource_sets import MODIFIERS, TYPES, allowed

# What is printed is the same for each engine.
ENGINES = ("sqlite",)

# A field of each type with each modifier that it can have; references to another and to itself.
CASES = [(kind, modifier) for kind in TYPES for modifier in MODIFIERS if allowed(kind, modifier)]
FIELDS = " ".join(
    ":".join(part for part in (f"f{number}", TYPES[kind].format(target="tags"), modifier) if part)
    for number, (kind, modifier) in enumerate(CASES)
)
HALVES = {
    "first": " ".join(FIELDS.split()[::2]),
    "second": " ".join([*FIELDS.split()[1::2], "other:ref:items:optional"]),
}


def test_fields_have_each_type_and_modifier() -> None:
    assert {kind for kind, _ in CASES} == TYPES.keys()
    assert {modifier for _, modifier in CASES} == set(MODIFIERS)
    assert len(CASES) == sum(len(half.split()) for half in HALVES.values()) - 1


def required(fields: str) -> list[str]:
    """Return the columns of the required fields."""
    entries = [entry.split(":") for entry in fields.split()]
    return [
        f"{name}_id" if kind == "ref" else name
        for name, kind, *rest in entries
        if "optional" not in rest
    ]


@pytest.fixture
def team(
    bake: Bake, environment: Environment, mypy_cache: Path, tmp_path: Path, engine: str
) -> Iterator[Team]:
    """A team with two resources, of which one gets fields."""
    original = bake(database=engine, project_slug=f"fields-{engine}", fields="note:text:optional")
    add_resources(original, environment, [("tag", "tags", "label:string:40")])
    with database(original, environment, tmp_path) as url:
        yield Team.of(original, environment, tmp_path / "changed", url, mypy_cache)


@pytest.mark.parametrize("engine", ENGINES)
def test_format_breaks_lines_that_are_too_long(team: Team) -> None:
    routes = team.resources / "items" / "routes.py"
    words = ", ".join(f'"{word}"' for word in ["word"] * 20)
    text = routes.read_text(encoding="utf-8")
    routes.write_text(f"{text}\n\nWORDS = [{words}]\n", encoding="utf-8")

    team.make("format")

    assert max(map(len, routes.read_text(encoding="utf-8").splitlines())) <= 100


@pytest.mark.slow
@pytest.mark.parametrize("engine", ENGINES)
def test_printed_lines_work_for_each_type_and_modifier(
    team: Team, environment: Environment, tmp_path: Path
) -> None:
    """The second half finds lists and tests that the first half has brought."""
    for number, fields in enumerate(HALVES.values()):
        insert_fields(team.project.path, team.make("field", name="item", fields=fields))
        team.make("format")
        team.database("upgrade")
        no_rows = " ".join(f"items.{column}:" for column in required(fields))
        team.make("migration", m=f"Half {number} of the fields", default=no_rows)

    team.make("format", "openapi")
    team.run(".venv/bin/ruff", "check", ".")
    team.python("-m", "mypy", "--strict")
    team.database("upgrade")
    team.database("check")
    (tmp_path / "tests").mkdir()
    with database(team.project, environment, tmp_path / "tests") as url:
        done = team.project.run(
            *(".venv/bin/python", "-m", "pytest", "-q", "-p", "no:cacheprovider"),
            "tests/resources",
            variables={"TEST_DATABASE_URL": url},
        )
    assert "skipped" not in done.stdout
