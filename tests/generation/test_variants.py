"""Every variant of the template, checked without running it."""

import itertools
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.checks import CHECKS
from tests.harness.baked import Bake, BakedProject
from tests.harness.environments import Environment
from tests.harness.report import Proved
from tests.harness.trees import Tree, claim, is_of_tree
from tests.harness.variants import (
    CHOICES,
    COMBINATIONS,
    PROMPTS,
    ROOT,
    UNSUPPORTED,
    VARIANTS,
    pairwise,
    parse_only,
    tree_of,
)

FORMAT = ("format", "--check", "--diff", "--no-cache", ".")
LINT = ("check", "--no-fix", "--no-cache", ".")


def test_every_choice_of_the_prompts_is_in_some_variant() -> None:
    for name, values in PROMPTS.items():
        if isinstance(values, list) and not name.startswith("_") and name != "setup":
            assert {variant.choices[name] for variant in VARIANTS} == set(values)


def test_a_combination_is_a_variant_or_unsupported() -> None:
    assert len(VARIANTS) + len(UNSUPPORTED) == len(COMBINATIONS) == len(set(COMBINATIONS))


@pytest.mark.parametrize("text", ["database=oracle", "engine=sqlite", "database", "setup=no"])
def test_an_unknown_choice_is_rejected_with_a_list_of_all(text: str) -> None:
    with pytest.raises(
        ValueError, match=r"is not a choice; the choices are: database=sqlite\|postgresql"
    ):
        parse_only(text)


def test_one_choice_can_be_proved_alone() -> None:
    wanted = parse_only("database=postgresql")
    assert {v.choices["database"] for v in VARIANTS if v.matches(wanted)} == {"postgresql"}


def test_few_variants_cover_all_pairs_of_choices() -> None:
    few = pairwise(VARIANTS)
    assert len(few) < len(VARIANTS) / 4
    for first, second in itertools.combinations(CHOICES, 2):
        meet = {(each.choices[first], each.choices[second]) for each in VARIANTS}
        assert {(each.choices[first], each.choices[second]) for each in few} == meet


@pytest.mark.slow
@pytest.mark.parametrize(
    ("only", "some", "others"),
    [
        ("database=postgresql", {"test_mutants", "test_suites", "test_image"}, {"test_texts"}),
        ("auth=oidc", {"test_mutants", "test_authentication"}, {"test_image", "test_delivery"}),
        ("auth=api_key", {"test_suites"}, {"test_service", "test_contract", "test_docs_page"}),
        ("ci=gitlab license=MIT", {"test_delivery", "test_variants"}, {"test_image"}),
    ],
)
def test_tests_of_other_choices_are_deselected(only: str, some: set[str], others: set[str]) -> None:
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-n", "0", "--only", only]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    files = set(re.findall(r"^tests/\w+/(\w+)\.py::", done.stdout, re.MULTILINE))
    assert some <= files
    assert not others & files
    if "database" in only:
        named = set(re.findall(r"[\[=](sqlite|postgresql|mariadb|mysql)\b", done.stdout))
        assert named == {only.partition("=")[2]}


def test_variant_is_sound(
    tree: Tree, environment: Environment, mypy_cache: Path, proved: Proved
) -> None:
    """All checks find nothing; tools check files that are equal in several variants once."""
    project = tree.project
    errors = [f"{name}: {error}" for name, check in CHECKS.items() for error in check(project)]
    if (project.path / ".env").stat().st_mode & 0o777 != 0o600:
        errors.append(".env: others can read it")
    if ".env" not in project.text(".gitignore").splitlines():
        errors.append(".env: git does not ignore it")
    code = [project.name_of(path) for path in project.named("*.py")]
    errors += [f"{name}: code beside the tree" for name in code if not is_of_tree(name)]
    errors += tree.errors
    if tree.is_ours:
        errors += said_by(project, environment.program("ruff"), *FORMAT)
        errors += said_by(project, environment.program("ruff"), *LINT)
        mypy = (environment.program("mypy"), "--strict", "--cache-dir", mypy_cache)
        errors += said_by(project, *mypy)
    assert not errors, "\n".join(errors)
    proved("static", variant=str(tree.variant), tree=tree.proved_by)


def said_by(project: BakedProject, *command: str | Path) -> list[str]:
    """Return the output of a tool that fails."""
    done = project.run(*command, status=None)
    return [done.stdout + done.stderr] if done.returncode != 0 else []


def test_an_option_missing_from_the_manifest_is_found(session_bake: Bake, tmp_path: Path) -> None:
    """Variants have the same tree exactly if their choices at SEEN_BY_TESTS are the same."""
    first, *others = VARIANTS
    alike = next(each for each in others if tree_of(each) == first)
    other = next(each for each in others if tree_of(each) != first)
    project, changed = session_bake(**first.choices), session_bake(**other.choices)
    assert claim(tmp_path / "run", project, first).errors == []
    assert claim(tmp_path / "run", project, alike).errors == []
    assert claim(tmp_path / "run", changed, alike).errors != []
    assert claim(tmp_path / "run", project, other).errors != []
