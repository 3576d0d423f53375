"""Every variant of the template: what it writes, and what can be checked without running it."""

from pathlib import Path

import pytest

from .baked import BakedProject
from .checks import CHECKS
from .environments import Environment
from .report import Proved
from .trees import Tree
from .variants import COMBINATIONS, PROMPTS, REFUSED, VARIANTS, Variant, parse_only


def test_every_choice_of_the_prompts_is_in_some_variant() -> None:
    for name, values in PROMPTS.items():
        if isinstance(values, list) and not name.startswith("_") and name != "setup":
            assert {variant.choices[name] for variant in VARIANTS} == set(values)


def test_a_variant_is_wanted_or_refused() -> None:
    assert len(VARIANTS) + len(REFUSED) == len(COMBINATIONS) == len(set(COMBINATIONS))


@pytest.mark.parametrize("text", ["database=oracle", "engine=sqlite", "database", "setup=no"])
def test_a_choice_that_does_not_exist_is_refused_with_those_that_do(text: str) -> None:
    with pytest.raises(ValueError, match=r"is no choice; there are: database=sqlite\|postgresql"):
        parse_only(text)


def test_one_choice_can_be_proved_alone() -> None:
    wanted = parse_only("database=postgresql")
    assert {v.choices["database"] for v in VARIANTS if v.matches(wanted)} == {"postgresql"}


@pytest.mark.parametrize("name", CHECKS)
def test_check(project: BakedProject, name: str) -> None:
    faults = CHECKS[name](project)
    assert not faults, "\n".join(faults)


def test_formatter_leaves_it_as_it_is(project: BakedProject, environment: Environment) -> None:
    ruff = environment.program("ruff")
    project.run(ruff, "format", "--check", "--diff", "--no-cache", ".")


def test_linter_finds_nothing(project: BakedProject, environment: Environment) -> None:
    project.run(environment.program("ruff"), "check", "--no-fix", "--no-cache", ".")


def test_types_are_right(tree: Tree, environment: Environment, mypy_cache: Path) -> None:
    if not tree.is_ours:
        return
    tree.project.run(environment.program("mypy"), "--strict", "--cache-dir", mypy_cache)


def test_the_environment_file_is_untracked_and_private(project: BakedProject) -> None:
    assert (project.path / ".env").stat().st_mode & 0o777 == 0o600
    assert ".env" in project.text(".gitignore").splitlines()


def test_variant_is_checked(variant: Variant, proved: Proved) -> None:
    proved("static", variant=str(variant))
