"""Drills of background jobs: everything that can be killed, stopped or emptied, on each engine."""

from pathlib import Path

import pytest

from tests.harness.baked import Bake
from tests.harness.environments import Environment
from tests.harness.report import Proved

pytestmark = pytest.mark.slow

DRILLS = Path(__file__).with_name("job_drills")
FILES = ("drill_relay.py", "drill_tasks.py", "test_drills.py")
MAX_SECONDS = 600


def run_drills(bake: Bake, environment: Environment, engine: str, *files: str) -> str:
    """Run the drills in a project, as tests of its own, and return the last line."""
    project = bake(background_jobs="celery", database=engine)
    for name in (*FILES, *files):
        text = (DRILLS / name).read_text(encoding="utf-8").replace("my_service", project.package)
        (project.path / "tests" / "jobs" / name).write_text(text, encoding="utf-8")
    chosen = f"tests/jobs/{(*FILES, *files)[-1]}"
    pytest_ = (environment.python, "-m", "pytest", "-q", "-p", "no:cacheprovider", chosen)
    done = project.run(*pytest_, variables=environment.variables, timeout=MAX_SECONDS)
    return done.stdout.splitlines()[-1]


@pytest.mark.parametrize("engine", ["sqlite", "postgresql", "mariadb", "mysql"])
def test_nothing_is_lost_or_done_twice_in_any_drill(
    bake: Bake, environment: Environment, proved: Proved, engine: str
) -> None:
    assert "3 passed" in run_drills(bake, environment, engine)
    proved("drills of background jobs", variant=f"background_jobs=celery,database={engine}")


def test_rabbitmq_carries_tasks_too(bake: Bake, environment: Environment) -> None:
    assert "1 passed" in run_drills(bake, environment, "sqlite", "test_rabbitmq.py")
