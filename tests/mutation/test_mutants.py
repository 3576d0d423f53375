"""Each named mutant of the generated service makes its tests fail."""

import time
from collections import Counter
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

from tests.harness.api_document import write_api_document
from tests.harness.baked import Bake, BakedProject
from tests.harness.environments import Environment
from tests.harness.report import Proved
from tests.harness.variants import PROMPTS

from .conftest import RunTests, copy_of
from .mutants import MUTANTS, Mutant, MutantDoesNotApplyError, named_tests

# All in one process beside those that run suites: tests of mutants mostly wait.
pytestmark = pytest.mark.xdist_group("mutants")

ENGINES = {mutant.database for mutant in MUTANTS}
VARIANTS = {mutant.variant: mutant.answers for mutant in MUTANTS}
FEWEST = 40

# Bytecode is copied with the project; it is validated by the hash of its source, not by the time.
COMPILE = ("-m", "compileall", "-q", "--invalidation-mode", "checked-hash", "src", "tests", "dev")

Unchanged = Callable[[str], BakedProject]


@pytest.fixture(scope="session")
def unchanged(session_bake: Bake, environment: Environment) -> Unchanged:
    """Return the project with these answers and the defaults, generated and compiled once."""

    @cache
    def make(variant: str) -> BakedProject:
        project = session_bake(**VARIANTS[variant])
        write_api_document(project, environment)
        project.run(environment.python, *COMPILE)
        return project

    return make


@pytest.mark.slow
@pytest.mark.parametrize("answers", VARIANTS)
def test_tests_that_see_mutants_pass_without_a_mutant(
    unchanged: Unchanged, run_tests: RunTests, answers: str
) -> None:
    tests = named_tests(mutant for mutant in MUTANTS if mutant.variant == answers)
    counts = run_tests(unchanged(answers), tuple(tests))
    assert counts["passed"] >= len(tests)
    assert not counts.keys() & {"failed", "error", "errors", "skipped"}


@pytest.mark.slow
@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_mutant_is_seen(
    unchanged: Unchanged, run_tests: RunTests, tmp_path: Path, proved: Proved, mutant: Mutant
) -> None:
    project = copy_of(unchanged(mutant.variant), tmp_path / "project")
    mutant.apply(project.path)
    began = time.monotonic()
    counts = run_tests(project, mutant.tests)
    assert counts.get("failed", 0) >= len(mutant.tests), (counts, project.path)
    assert "passed" not in counts, f"a test that should see the mutant passed: {counts}"
    proved(
        "mutant",
        name=mutant.name,
        guarantee=mutant.guarantee,
        variant=mutant.variant,
        seconds=round(time.monotonic() - began, 1),
    )


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_mutant_applies_and_is_still_python(
    unchanged: Unchanged, tmp_path: Path, mutant: Mutant
) -> None:
    project = copy_of(unchanged(mutant.variant), tmp_path / "project")
    mutant.apply(project.path)
    compile(project.text(mutant.file), mutant.file, "exec")


def test_mutant_that_no_longer_applies_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file.py").write_text("one\n", encoding="utf-8")
    stale = Mutant("stale", "", "file.py", (("two", "three"),), ())
    with pytest.raises(MutantDoesNotApplyError, match="0 times"):
        stale.apply(tmp_path)


def test_mutant_that_applies_twice_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file.py").write_text("one\none\n", encoding="utf-8")
    vague = Mutant("vague", "", "file.py", (("one", "two"),), ())
    with pytest.raises(MutantDoesNotApplyError, match="2 times"):
        vague.apply(tmp_path)


def test_mutants_have_unique_names_and_are_many() -> None:
    assert not [name for name, times in Counter(each.name for each in MUTANTS).items() if times > 1]
    assert len(MUTANTS) >= FEWEST
    assert set(PROMPTS["database"]) == ENGINES
