"""Replicas that start together migrate in turn, with the time limits of production."""

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.harness.baked import Bake
from tests.harness.environments import Environment
from tests.harness.report import Proved
from tests.harness.servers import database, production
from tests.harness.variants import CHOICES

pytestmark = [pytest.mark.slow, pytest.mark.about("database")]

REPLICAS = 4
SECONDS = 20
"""How long the migration takes: longer than it may wait for any lock but that of migrations."""

SLOW = f"""import time

    op.create_table("turns", sa.Column("id", sa.Integer, primary_key=True))
    op.execute("INSERT INTO turns (id) VALUES (1)")
    time.sleep({SECONDS})"""  # noqa: S608


@pytest.mark.parametrize("engine", CHOICES["database"])
def test_replicas_wait_while_the_first_one_migrates(
    engine: str, bake: Bake, environment: Environment, tmp_path: Path, proved: Proved
) -> None:
    project = bake(project_slug="my-service", database=engine)
    flask = (environment.program("flask"), "--app", "my_service")
    versions = project.source / "migrations" / "versions"
    before = set(versions.glob("*.py"))
    with database(project, environment, tmp_path) as url, ThreadPoolExecutor(REPLICAS) as pool:
        variables = {**environment.variables, **production(url)}
        project.run(*flask, "db", "revision", "--empty", "-m", "Slow", variables=variables)
        [slow] = set(versions.glob("*.py")) - before
        text = slow.read_text(encoding="utf-8")
        slow.write_text(text.replace("pass", SLOW, 1), encoding="utf-8")

        def start(_replica: int) -> float:
            project.run(*flask, "db", "upgrade", variables=variables)
            return time.monotonic()

        began = time.monotonic()
        waited = [end - began for end in pool.map(start, range(REPLICAS))]
        said = project.run(*flask, "db", "current", variables=variables).stdout

    # A second one that applied it would fail at the table or the row, which are there.
    assert slow.stem.partition("_")[0] in said
    assert min(waited) >= SECONDS
    proved("replicas migrate in turn", engine=engine, replicas=REPLICAS, longest=max(waited))
