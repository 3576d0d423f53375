"""Changes of a team to its resources break nothing of the kit: each is made and proved.

In a changed project the kit's tests are the same files as before, all of them run and pass, and
they alone cover the kit; format, lint, layers and types are clean.
"""

import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.harness.baked import Bake, BakedProject
from tests.harness.environments import Environment
from tests.harness.report import Proved
from tests.harness.resources import add_resources
from tests.harness.servers import database
from tests.harness.variants import Variant

from .changes import Team, delete_lines, edit, insert_fields
from .suites import OF_THE_ENGINE_ALONE, QUICK, WITHOUT_DRILLS, Suites, covered

pytestmark = [pytest.mark.slow, pytest.mark.most_options]

# The README's table "Where things are" calls them yours.
YOURS = re.compile(
    r"src/\w+/(resources|migrations/versions)/|tests/resources/|openapi\.json|\.env$"
)

# A factory that cannot be imported at once, because its module imports this one.
STOP_FACTORY = """

def _stop_factory() -> Any:
    from ..stops.factories import StopFactory

    return StopFactory


"""

KIT_ONLY = "--ignore=tests/resources"


def one_field_and_another_name(team: Team) -> None:
    """Drop a field of the resource, whose rows are in databases, and give it another name."""
    team.database("upgrade")
    team.write_rows("items:ItemFactory")
    folders = (team.resources / "items", team.project.path / "tests" / "resources" / "items")
    own_lines = ("grep", "-rnE", "--include=*.py", '^ +"?description"?:')
    delete_lines(
        team, team.run(*own_lines, *(path.relative_to(team.project.path) for path in folders))
    )
    team.make("format")
    team.make("migration", m="Drop the description")
    team.database("upgrade")
    before = team.read_rows("items")["items"]

    team.rename_resource("item", "items", "parcel", "parcels")
    team.make("migration", m="Call the items parcels", rename="items:parcels")
    team.make("format", "openapi")
    team.database("upgrade")
    team.database("check")
    team.database("downgrade", "-2")
    kept = [{name: row[name] for name in before[0]} for row in team.read_rows("items")["items"]]
    assert kept == before
    team.database("upgrade")
    team.database("check")
    assert team.read_rows("parcels") == {"parcels": before}
    team.python("-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/resources")


def no_resource(team: Team) -> None:
    """Remove the resource, whose table and rows are in databases."""
    team.database("upgrade")
    team.write_rows("items:ItemFactory")
    team.remove_resource("items")
    team.make("migration", m="Drop the items")
    team.make("format", "openapi")
    team.database("upgrade")
    team.database("downgrade", "-1")
    assert team.read_rows("items") == {"items": []}
    team.database("upgrade")
    team.database("check")


def three_resources(team: Team) -> None:
    """Add two resources that refer to others and to each other, and odd routes beside them."""
    team.database("upgrade")
    team.write_rows("items:ItemFactory")
    team.make("resource", name="parcel", fields="label:string:80:unique item:ref:items")
    team.make("resource", name="stop", fields="place:text parcel:ref:parcels")
    migrate_with_rows(team, {"parcels": "ParcelFactory", "stops": "StopFactory"}, "items")
    refer_to_each_other(team)
    add_odd_routes(team)
    team.make("migration", m="Add the last stop to parcels")
    team.make("format", "openapi")
    migrate_with_rows(team, {"stops": "StopFactory"}, "items", "parcels")
    join_two_branches(team)
    team.python("-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/resources")


CHANGES = (one_field_and_another_name, no_resource, three_resources)
TESTED: dict[str, Callable[[Team], None]] = {
    "sqlite": one_field_and_another_name,
    "postgresql": no_resource,
    "mariadb": three_resources,
    "mysql": three_resources,
}
"""The change after which the tests of the kit run, by engine.

On SQLite these are all, with drills and what sees the engine alone; and after the other changes its
quick tests. On all engines each change is made, checked and migrated with rows.
"""

SOME = (*WITHOUT_DRILLS, *OF_THE_ENGINE_ALONE)
"""The options that leave out what sees no resource and takes long."""


def migrate_with_rows(team: Team, factories: dict[str, str], *others: str) -> None:
    """Upgrade, downgrade and upgrade again; rows survive that are not in what a step drops."""
    before = team.read_rows(*others)
    team.database("upgrade")
    team.write_rows(*(f"{plural}:{factory}" for plural, factory in factories.items()))
    written = team.read_rows(*factories)
    assert all(written.values())
    team.database("check")
    team.database("downgrade", "-1")
    after = team.read_rows(*others)
    for table, rows in before.items():
        assert all(row in after[table] for row in rows)
    team.database("upgrade")
    team.database("check")


def refer_to_each_other(team: Team) -> None:
    """Follow "Two resources that refer to each other": parcels get an optional reference back."""
    printed = team.make("field", name="parcel", fields="last_stop:ref:stops:optional")
    insert_fields(team.project.path, printed)
    types_only = ("from uuid", "from typing import TYPE_CHECKING\nfrom uuid")
    edit(
        team.resources / "parcels" / "models.py",
        types_only,
        ("from ..stops.models import Stop\n", ""),
        ("\n\nclass ", "\nif TYPE_CHECKING:\n    from ..stops.models import Stop\n\n\nclass "),
        ("Mapped\\[Stop \\| None\\]", 'Mapped["Stop | None"]'),
    )
    edit(
        team.resources / "stops" / "models.py",
        types_only,
        ("from ..parcels.models import Parcel", "\nif TYPE_CHECKING:\n    \\g<0>"),
        ("Mapped\\[Parcel\\]", 'Mapped["Parcel"]'),
    )
    edit(
        team.project.path / "tests" / "resources" / "parcels" / "factories.py",
        ("from ..stops.factories import StopFactory\n", ""),
        ("lambda: StopFactory", "_stop_factory"),
        ("URL = .*\n", f"\\g<0>{STOP_FACTORY}"),
    )


def add_odd_routes(team: Team) -> None:
    """Serve routes of every kind beside the resources: those that the kit's tests know."""
    folder = team.resources / "oddities"
    folder.mkdir()
    (folder / "__init__.py").write_text('"""Routes of every kind."""\n', encoding="utf-8")
    shutil.copy(team.project.path / "tests" / "support" / "oddities.py", folder / "routes.py")
    edit(
        team.resources / "__init__.py",
        ("\n\nRESOURCES", "\nfrom .oddities.routes import api as oddities_api\\g<0>"),
        ("\n\\]", "\n    oddities_api,\\g<0>"),
    )


def join_two_branches(team: Team) -> None:
    """Join the migrations of two branches, then take the join and a branch back."""
    versions = team.project.source / "migrations" / "versions"
    before = set(versions.glob("*.py"))
    team.database("revision", "--empty", "-m", "One side")
    [one_side] = set(versions.glob("*.py")) - before
    text = one_side.read_text(encoding="utf-8")
    one_side.unlink()  # the other branch does not have it
    team.database("revision", "--empty", "-m", "The other side")
    one_side.write_text(text, encoding="utf-8")

    team.make("merge-migrations")
    team.make("format")
    team.database("upgrade")
    team.database("downgrade", "-2")
    team.database("upgrade")
    team.database("check")


def kit_files(project: BakedProject) -> dict[str, bytes]:
    """Return the files that are not the team's, by their names."""
    names = {project.name_of(path): path for path in project.walk()}
    return {name: path.read_bytes() for name, path in names.items() if not is_yours(name)}


def is_yours(name: str) -> bool:
    """Return whether a file belongs to the team, and no update of the template changes it."""
    return YOURS.match(name) is not None


@pytest.fixture
def team(
    project: BakedProject, environment: Environment, mypy_cache: Path, tmp_path: Path
) -> Iterator[Team]:
    """A team with a copy of the project, and an empty development database."""
    with database(project, environment, tmp_path) as url:
        yield Team.of(project, environment, tmp_path / "changed", url, mypy_cache)


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
def test_a_change_of_the_resources_breaks_nothing_of_the_kit(
    team: Team,
    variant: Variant,
    suites: Suites,
    proved: Proved,
    change: Callable[[Team], None],
) -> None:
    change(team)

    changed = team.project
    assert kit_files(changed) == kit_files(team.original)
    team.run(".venv/bin/ruff", "format", "--check", ".")
    team.run(".venv/bin/ruff", "check", ".")
    team.run(".venv/bin/lint-imports", "--no-logo", "--no-cache")
    team.python("-m", "mypy", "--strict")
    assert suites.collected(changed, KIT_ONLY) == suites.collected_once(team.original, KIT_ONLY)

    engine = variant.choices["database"]
    name = change.__name__.replace("_", " ")
    if engine == "sqlite" and change is TESTED[engine]:
        report = changed.path.with_name("coverage.json")
        result, passed = suites.run_measured(changed, report, KIT_ONLY)
        assert passed == suites.collected_once(team.original, KIT_ONLY)
        missing = [place for place in covered(changed, report)[1] if not is_yours(place)]
        assert not missing, "\n".join(missing)
        how = f"{name}, all tests of the kit"
        proved("suite", variant=variant.short, how=how, coverage=100, **result)
    elif engine == "sqlite" or change is TESTED[engine]:
        some = QUICK if engine == "sqlite" else SOME
        result, passed = suites.run(changed, KIT_ONLY, *some)
        assert passed == suites.collected_once(team.original, KIT_ONLY, *some)
        how = f"{name}, {'quick tests of the kit' if some is QUICK else 'no drills'}"
        proved("suite", variant=variant.short, how=how, **result)


# Names that the kit's tests use for tables, routes, models, fixtures and modules.
HOSTILE_NAMES = {
    "probe": "probes",
    "test": "tests",
    "client": "clients",
    "app": "apps",
    "thing": "things",
    "note": "notes",
    "clock": "clocks",
    "number": "numbers",
    "one_x": "two_x",
    "early": "first",
    "part": "half",
    "support": "supports",
    "activation": "activate",
}


@pytest.mark.parametrize("engine", ["sqlite"])
def test_resources_with_names_that_the_kits_tests_use_do_not_collide(
    bake: Bake, environment: Environment, suites: Suites, engine: str
) -> None:
    project = bake(database=engine, auth="api_key", background_jobs="celery")
    before = suites.collected(project, KIT_ONLY)
    resources = [(name, plural, "label:string:80") for name, plural in HOSTILE_NAMES.items()]
    add_resources(project, environment, resources)

    _, passed = suites.run(project, *QUICK, *SOME)
    after = suites.collected(project, KIT_ONLY)

    assert after == before
    assert len(passed) > len(after) / 2
