"""The generated tests of a resource see each mutant of its generated code."""

import time
from pathlib import Path

import pytest

from tests.harness.baked import Bake, BakedProject
from tests.harness.report import Proved

from .conftest import RunTests, copy_of
from .mutants.mutant import Mutant
from .mutants.resources import FIELDS, RESOURCE_MUTANTS

pytestmark = [pytest.mark.xdist_group("generated-mutants")]

TESTS = "tests/resources/items"


@pytest.fixture(scope="session")
def unchanged(session_bake: Bake) -> BakedProject:
    """A project whose resource has a field of each type and with each modifier."""
    return session_bake(fields=FIELDS)


@pytest.mark.slow
def test_generated_tests_pass_without_a_mutant(
    unchanged: BakedProject, run_tests: RunTests
) -> None:
    counts = run_tests(unchanged, (TESTS,))

    assert counts["passed"] > 200
    assert not counts.keys() & {"failed", "error", "errors", "skipped"}


@pytest.mark.slow
@pytest.mark.parametrize("mutant", RESOURCE_MUTANTS, ids=lambda mutant: mutant.name)
def test_generated_tests_see_the_mutant(
    unchanged: BakedProject, run_tests: RunTests, tmp_path: Path, proved: Proved, mutant: Mutant
) -> None:
    project = copy_of(unchanged, tmp_path / "project")
    mutant.apply(project.path)
    began = time.monotonic()

    counts = run_tests(project, mutant.tests)

    assert counts.get("failed", 0) + counts.get("errors", 0) > 0, (counts, project.path)
    proved(
        "mutant",
        name=mutant.name,
        guarantee=mutant.guarantee,
        variant=mutant.variant,
        seconds=round(time.monotonic() - began, 1),
    )


@pytest.mark.parametrize("mutant", RESOURCE_MUTANTS, ids=lambda mutant: mutant.name)
def test_mutant_of_generated_code_applies(
    unchanged: BakedProject, tmp_path: Path, mutant: Mutant
) -> None:
    project = copy_of(unchanged, tmp_path / "project")
    mutant.apply(project.path)
    compile(project.text(mutant.file), mutant.file, "exec")
