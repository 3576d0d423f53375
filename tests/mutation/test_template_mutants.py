"""Each named mutant of the template makes its tests in this repository fail."""

import re
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import pytest

from tests.harness.baked import NOT_OF_THE_PROJECT, clean_environment
from tests.harness.environments import Environment
from tests.harness.report import Proved
from tests.harness.variants import CHOICES, ROOT

from .template_mutants import TEMPLATE_MUTANTS, TemplateMutant, rounds

TESTS = (sys.executable, "-m", "pytest", "--quiet", "-rfE", "--tb=no", "-pno:cacheprovider")

# The test in a line of the summary, without the variant.
FAILED = re.compile(r"^(?:FAILED|ERROR) (\S+?)(?:\[database=\S+)?(?: |$)", re.MULTILINE)


@pytest.fixture
def template(tmp_path: Path, environment: Environment) -> Path:
    """A copy of this repository, with the existing environments for projects."""
    copy = tmp_path / "template"
    shutil.copytree(ROOT, copy, ignore=shutil.ignore_patterns(*NOT_OF_THE_PROJECT))
    (copy / "build").symlink_to(environment.path.parent)
    return copy


def failed_in(template: Path, tests: Iterable[str], only: str) -> set[str]:
    """Run some tests of a copy and return which failed; variants are those of `only`."""
    failed = set()
    for about_variants in (False, True):
        some = [
            test
            for test in tests
            if test.startswith("tests/generation/test_variants") == about_variants
        ]
        if not some:
            continue
        options = ("--only", only) if about_variants else ()
        done = subprocess.run(
            [*TESTS, "--proof", str(template / "proof.json"), *options, *some],
            cwd=template,
            env=clean_environment({}),
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode in (0, 1), (done.stdout + done.stderr)[-4000:]
        failed |= set(FAILED.findall(done.stdout))
    return failed


@pytest.mark.slow
@pytest.mark.parametrize("mutants", rounds(), ids=lambda mutants: f"{mutants[0].name} and more")
def test_mutants_are_seen(
    template: Path, proved: Proved, mutants: tuple[TemplateMutant, ...]
) -> None:
    for mutant in mutants:
        mutant.apply(template)
    tests = {test for mutant in mutants for test in mutant.tests}
    failed = failed_in(template, tests, mutants[0].only)
    # A test that is named without its parameters may fail with several of them.
    assert {each if each in tests else each.partition("[")[0] for each in failed} == tests
    for mutant in mutants:
        guarantee, variant = mutant.guarantee, "the template"
        proved("mutant", name=mutant.name, guarantee=guarantee, variant=variant)


@pytest.mark.slow
def test_tests_that_see_mutants_pass_without_a_mutant(template: Path) -> None:
    tests = {test for mutant in TEMPLATE_MUTANTS for test in mutant.tests}
    few = "auth=none background_jobs=none deployment=none ci=none license=MIT"
    assert failed_in(template, tests, few) == set()


@pytest.mark.parametrize("mutant", TEMPLATE_MUTANTS, ids=lambda mutant: mutant.name)
def test_mutant_applies(tmp_path: Path, mutant: TemplateMutant) -> None:
    copy = tmp_path / mutant.file
    copy.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(ROOT / mutant.file, copy)
    mutant.apply(tmp_path)


def test_mutants_have_unique_names_and_existing_choices() -> None:
    names = Counter(mutant.name for mutant in TEMPLATE_MUTANTS)
    assert [name for name, times in names.items() if times > 1] == []
    for mutant in TEMPLATE_MUTANTS:
        for part in mutant.only.split():
            prompt, _, choice = part.partition("=")
            assert choice in CHOICES[prompt]
