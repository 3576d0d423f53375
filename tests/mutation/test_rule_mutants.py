"""The generated tests of resources see at least 90 % of the mutants by rule of generated code."""

import ast
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

from tests.harness.baked import Bake, BakedProject
from tests.harness.environments import Environment
from tests.harness.report import Proved
from tests.project.resource_sets import TYPES, allowed

from .rule_run import RESOURCES, Outcome, mutants_of, try_mutants, with_resources

pytestmark = pytest.mark.xdist_group("generated-mutants")

MIN_SCORE = 90.0

# Every how many mutants one is tried; all of them are by `make rule-mutants`.
SAMPLES = {"sqlite": 11, "postgresql": 53, "mariadb": 47}


Projects = Callable[[str], BakedProject]


@pytest.fixture(scope="session")
def projects(session_bake: Bake, environment: Environment) -> Projects:
    """Return the project with the resources on an engine."""
    return cache(lambda engine: with_resources(session_bake, environment, engine))


@pytest.fixture
def outcome(
    projects: Projects,
    environment: Environment,
    tmp_path: Path,
    pytestconfig: pytest.Config,
    engine: str,
) -> Outcome:
    """The result of the mutants on an engine."""
    every = 1 if pytestconfig.getoption("--every-mutant") else SAMPLES[engine]
    return try_mutants(projects(engine), environment, tmp_path, every)


@pytest.mark.slow
@pytest.mark.parametrize("engine", SAMPLES)
def test_generated_tests_see_nine_of_ten_mutants(
    outcome: Outcome, proved: Proved, engine: str
) -> None:
    print(outcome)
    proved(
        "mutants by rule",
        engine=engine,
        tried=outcome.tried,
        seen=outcome.tried - len(outcome.survivors),
        survivors=", ".join(outcome.survivors),
    )
    assert outcome.score >= MIN_SCORE, outcome


def test_mutants_by_rule_are_many_and_differ(projects: Projects) -> None:
    found = list(mutants_of(projects("sqlite")))

    assert len(found) > 500
    assert len({(resource.plural, mutant.name) for resource, mutant, _ in found}) == len(found)
    for _, mutant, files in found:
        for name, text in mutant.texts.items():
            before = ast.parse(files[name].read_text("utf-8"))
            assert ast.dump(ast.parse(text)) != ast.dump(before), mutant.name


def test_resources_have_each_type_and_each_modifier() -> None:
    entries = [entry for each in RESOURCES for entry in each.fields.replace(",", " ").split()]
    words = [entry.split(":") for entry in entries]

    assert {word for _, word, *_ in words} == TYPES.keys()
    for modifier in ("optional", "unique", "index"):
        kinds = {kind for kind in TYPES if allowed(kind, modifier)}
        seen = {kind for _, kind, *rest in words if modifier in rest}
        assert seen <= kinds
        assert len(seen) >= 3, modifier
