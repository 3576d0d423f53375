"""Each variant's own tests on its real engine: all pass in random order and cover all code."""

import os
import re
import time
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.harness.api_document import write_api_document
from tests.harness.baked import Bake, BakedProject
from tests.harness.environments import (
    NEWER,
    Environment,
    lowest_environment,
    measuring_version,
    shared_environment,
)
from tests.harness.fixtures import BUILD
from tests.harness.names import CATEGORY, HOSTILE_TEXTS, LONGEST_RESOURCE, LONGEST_SLUG
from tests.harness.report import Proved
from tests.harness.servers import FROM_THE_PYTHON_PACKAGE, database
from tests.harness.variants import EXTREMES, NEWEST_SERVERS, WHOLE, Variant

from .suites import (
    OF_THE_ENGINE_ALONE,
    OPTIONS,
    QUICK,
    WITHOUT_DRILLS,
    Suites,
    counted,
    covered,
)

# Further answers, each on one engine: names and texts change the code of all engines alike. On
# MariaDB and MySQL every name has its maximum length: each has limits of its own.
OTHER_ANSWERS: dict[str, tuple[str, dict[str, str]]] = {
    "sqlite": ("hostile texts", {"project_slug": "my-service", **HOSTILE_TEXTS}),
    "postgresql": (
        "category",
        {"resource": CATEGORY.one, "resource_plural": CATEGORY.many},
    ),
    "mariadb": (
        "longest names",
        {
            "project_slug": LONGEST_SLUG,
            "resource": LONGEST_RESOURCE.one,
            "resource_plural": LONGEST_RESOURCE.many,
        },
    ),
    "mysql": (
        "longest names",
        {
            "project_slug": LONGEST_SLUG,
            "resource": LONGEST_RESOURCE.one,
            "resource_plural": LONGEST_RESOURCE.many,
        },
    ),
}

# What names can break: generated code, tables, routes, tasks and documents.
ROOMS_OF_NAMES = ("tests/resources", "tests/database", "tests/web", "tests/test_layers.py")

ASK_FOR_VERSION = """
import sys
from sqlalchemy import create_engine, text
print(create_engine(sys.argv[1]).connect().scalar(text("SELECT version()")))
"""


def run_suite(
    project: BakedProject,
    environment: Environment,
    *options: str,
    variables: Mapping[str, str] | None = None,
) -> dict[str, float]:
    """Run the project's tests and return how many passed and how long they took.

    Raises AssertionError if one fails or is skipped, or if there is none.
    """
    write_api_document(project, environment)
    began = time.monotonic()
    done = project.run(
        *(environment.python, "-m", "pytest"),
        *OPTIONS,
        *options,
        variables={**environment.variables, **(variables or {})},
    )
    return counted(done.stdout, began)


@pytest.mark.slow
@pytest.mark.one_for_each_tree
def test_suite_passes_and_covers_every_line_and_branch(
    project: BakedProject,
    variant: Variant,
    suites: Suites,
    tmp_path: Path,
    proved: Proved,
) -> None:
    """Drills and what sees the engine alone run in the defaults and in each engine's fullest tree.

    In the other trees lines of database/ may be missing, which only these tests reach.
    """
    report = tmp_path / "coverage.json"
    is_whole = variant in EXTREMES
    some = () if is_whole else (*WITHOUT_DRILLS, *OF_THE_ENGINE_ALONE)
    result, _ = suites.run_measured(project, report, *some)
    percent, missing = covered(project, report)
    missing = [
        place for place in missing if is_whole or f"{project.package}/database/" not in place
    ]
    assert not missing, "\n".join(missing)
    how = f"Python {measuring_version()}, its own server{', whole' if is_whole else ''}"
    proved("suite", variant=variant.short, how=how, coverage=percent, **result)


@pytest.mark.quick
@pytest.mark.one_for_each_tree
def test_quick_tests_of_the_suite_pass(
    project: BakedProject, variant: Variant, environment: Environment, proved: Proved
) -> None:
    result = run_suite(project, environment, *QUICK)
    proved("suite", variant=variant.short, how="quick tests", **result)


@pytest.mark.slow
@pytest.mark.one_for_each_engine
def test_suite_passes_with_other_answers_in_several_workers_on_a_given_database(
    session_bake: Bake,
    variant: Variant,
    environment: Environment,
    tmp_path: Path,
    proved: Proved,
) -> None:
    """On PostgreSQL this uses the server of the Python package, even if the machine has another."""
    engine = variant.choices["database"]
    name, answers = OTHER_ANSWERS[engine]
    project = session_bake(**variant.choices, **answers)
    prepare = FROM_THE_PYTHON_PACKAGE if engine == "postgresql" else ""
    with database(project, environment, tmp_path, prepare=prepare) as url:
        options = (*QUICK, "-n", "2", *ROOMS_OF_NAMES, *OF_THE_ENGINE_ALONE)
        result = run_suite(project, environment, *options, variables={"TEST_DATABASE_URL": url})
    how = f"{name}, 2 workers, TEST_DATABASE_URL"
    proved("suite", variant=variant.short, how=how, **result)


@pytest.mark.slow
@pytest.mark.one_for_each_tree
def test_suite_passes_on_another_interpreter(
    project: BakedProject, variant: Variant, version: str, proved: Proved
) -> None:
    """Run all tests on the oldest and the newest one, and the quick tests on the others."""
    options, which = (WITHOUT_DRILLS, "no drills") if version in WHOLE else (QUICK, "quick tests")
    result = run_suite(project, shared_environment(BUILD, version), *options)
    proved("suite", variant=variant.short, how=f"Python {version}, {which}", **result)


@pytest.fixture(params=NEWEST_SERVERS)
def engine(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """An engine whose newest server is found before that of the machine."""
    name = str(request.param)
    monkeypatch.setenv("PATH", f"{NEWER / name}{os.pathsep}{os.environ['PATH']}")
    return name


@pytest.mark.slow
def test_tests_of_the_database_pass_on_the_newest_server(
    engine: str, session_bake: Bake, environment: Environment, tmp_path: Path, proved: Proved
) -> None:
    """Run those of database and resources, with all options.

    The other suites run on the server that the machine has.
    """
    [variant] = (each for each in EXTREMES[1:] if each.choices["database"] == engine)
    project = session_bake(**variant.choices)
    with database(project, environment, tmp_path) as url:
        version = version_of_server(project, environment, url)
        if numbers_of(version) < numbers_of(NEWEST_SERVERS[engine]):
            pytest.skip(f"{engine} {NEWEST_SERVERS[engine]} is not on this machine, only {version}")
        tests = (*QUICK, "tests/database", "tests/resources")
        result = run_suite(project, environment, *tests, variables={"TEST_DATABASE_URL": url})
    proved("suite", variant=variant.short, how=f"quick tests, {engine} {version}", **result)


def version_of_server(project: BakedProject, environment: Environment, url: str) -> str:
    """Return the version that the server of this URL reports, such as `18.6`."""
    said = project.run(environment.python, "-c", ASK_FOR_VERSION, url).stdout
    [version, *_] = re.findall(r"\d+(?:\.\d+)+", said)
    return str(version)


def numbers_of(version: str) -> list[int]:
    """Return the numbers of a version, which can be compared."""
    return [int(number) for number in version.split(".")]


@pytest.mark.slow
@pytest.mark.most_options
@pytest.mark.one_for_each_driver
def test_suite_passes_with_the_lowest_declared_versions(
    project: BakedProject, variant: Variant, proved: Proved
) -> None:
    result = run_suite(project, lowest_environment(BUILD), *QUICK)
    proved("suite", variant=variant.short, how="lowest versions", **result)
