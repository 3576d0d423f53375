"""Each kind of change that teams make to tables is generated and run with rows, on each engine."""

import re
import shutil
from pathlib import Path

import pytest

from tests.harness.baked import Bake
from tests.harness.environments import Environment

from .suites import OPTIONS

FOLDER = Path(__file__).parent
KINDS = {"sqlite": 71, "postgresql": 73, "mariadb": 73}
"""How many kinds of change there are on an engine, so that none is lost unnoticed."""


@pytest.mark.slow
@pytest.mark.about("database")
@pytest.mark.parametrize("engine", KINDS)
def test_each_kind_of_change_and_each_recipe_runs_with_rows(
    engine: str, bake: Bake, environment: Environment
) -> None:
    project = bake(project_slug="my-service", database=engine)
    suites = []
    for name in ("schema_changes", "migration_recipes"):
        suites.append(f"tests/database/{name}.py")
        shutil.copy(FOLDER / f"{name}.py", project.path / suites[-1])

    done = project.run(
        *(environment.python, "-m", "pytest"),
        *OPTIONS,
        "-rp",
        *suites,
        variables={**environment.variables, "SERVICE_ENGINE": engine},
    )

    passed = re.findall(r"^PASSED .*schema_changes\.py::test_change\[", done.stdout, re.MULTILINE)
    assert len(passed) == KINDS[engine], done.stdout[-2000:]
    assert not re.search(r"\d (failed|errors?|skipped)", done.stdout), done.stdout[-2000:]
