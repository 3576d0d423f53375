"""Each kind of change that teams make to tables is generated and run with rows, on each engine."""

import json
import re
import shutil
from pathlib import Path

import pytest

from tests.harness.baked import Bake
from tests.harness.environments import Environment
from tests.harness.report import Proved

from .suites import OPTIONS

FOLDER = Path(__file__).parent
ENGINES = ("sqlite", "postgresql", "mariadb", "mysql")
KINDS = 84
"""How many kinds of change there are, so that none is lost unnoticed."""


@pytest.mark.slow
@pytest.mark.about("database")
@pytest.mark.parametrize("engine", ENGINES)
def test_each_kind_of_change_and_each_recipe_runs_with_rows(
    engine: str, bake: Bake, environment: Environment, tmp_path: Path, proved: Proved
) -> None:
    project = bake(project_slug="my-service", database=engine)
    for name in ("schema_api", "schema_changes", "migration_recipes"):
        shutil.copy(FOLDER / f"{name}.py", project.path / "tests" / "database")
    suites = [f"tests/database/{name}.py" for name in ("schema_changes", "migration_recipes")]
    table = tmp_path / "table"

    done = project.run(
        *(environment.python, "-m", "pytest"),
        *OPTIONS,
        *suites,
        variables={
            **environment.variables,
            "SERVICE_ENGINE": engine,
            "CHANGES_TABLE": str(table),
        },
    )

    assert not re.search(r"\d (failed|errors?|skipped)", done.stdout), done.stdout[-2000:]
    lines = [json.loads(line) for line in table.read_text(encoding="utf-8").splitlines()]
    assert len({line["change"] for line in lines}) == KINDS
    for line in lines:
        test = f"tests/project/schema_changes.py::test_change[{line['change']}]"
        proved("schema change", engine=engine, test=test, **line)
