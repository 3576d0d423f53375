"""Each variant's own tests on its real engine: all pass in random order and cover all code."""

import time
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.harness.api_document import write_api_document
from tests.harness.baked import Bake, BakedProject
from tests.harness.environments import (
    Environment,
    interpreters,
    lowest_environment,
    shared_environment,
)
from tests.harness.fixtures import BUILD
from tests.harness.names import CATEGORY, HOSTILE_TEXTS, LONGEST_RESOURCE, LONGEST_SLUG
from tests.harness.report import Proved
from tests.harness.servers import FROM_THE_PYTHON_PACKAGE, database
from tests.harness.variants import VARIANTS, Variant

from .suites import OPTIONS, QUICK, Suites, counted, covered

# Further answers, each on one engine: names and texts change the code of all engines alike. On
# MariaDB every name has its maximum length.
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
}


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
    report = tmp_path / "coverage.json"
    result, _ = suites.run_measured(project, report)
    percent, missing = covered(project, report)
    assert not missing, "\n".join(missing)
    how = f"Python {next(iter(interpreters()))}, its own server"
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
        result = run_suite(
            project, environment, *QUICK, "-n", "2", variables={"TEST_DATABASE_URL": url}
        )
    how = f"{name}, 2 workers, TEST_DATABASE_URL"
    proved("suite", variant=variant.short, how=how, **result)


@pytest.mark.slow
@pytest.mark.one_for_each_tree
def test_suite_passes_on_another_interpreter(
    project: BakedProject, variant: Variant, version: str, proved: Proved
) -> None:
    """Run all tests of the defaults, and the quick tests of the other variants."""
    quick = QUICK if variant != VARIANTS[0] else ()
    result = run_suite(project, shared_environment(BUILD, version), *quick)
    proved("suite", variant=variant.short, how=f"Python {version}", **result)


@pytest.mark.slow
@pytest.mark.most_options
def test_suite_passes_with_the_lowest_declared_versions(
    project: BakedProject, variant: Variant, proved: Proved
) -> None:
    result = run_suite(project, lowest_environment(BUILD), *QUICK)
    proved("suite", variant=variant.short, how="lowest versions", **result)
