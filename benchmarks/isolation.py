"""Set-up and teardown of a test with the generated project's own fixtures.

The floor is the usual fixture: `create_all` before and `drop_all` after each test, with 2, 20 and
100 tables. Both run in one pytest session of the project.
"""

import json
import subprocess
import sys
from pathlib import Path
from shutil import copytree

from benchmarks.projects import Project, baked
from benchmarks.report import Row, Samples, Table

TABLES = (2, 20, 100)
"""Two are the project's own."""

BOUNDS_MS = {"sqlite": 1.5, "postgresql": 2.5, "mariadb": 2.5}
GROWTH_BOUND = 1.3
RUN_SECONDS = 900

FIXTURES = "fixtures"
FLOOR = "create_all + drop_all"

SUITE = Path(__file__).with_name("isolation_suite")


def measure(project: Project, tables: int, *, tests: int, floor_tests: int) -> Samples:
    """Return the milliseconds of set-up and teardown of each test."""
    folder = project.path / "tests" / SUITE.name
    copytree(SUITE, folder, dirs_exist_ok=True)
    output = project.path / "isolation.json"
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:randomly", "-p", "no:cacheprovider"]
    done = subprocess.run(
        [*command, str(folder)],
        cwd=project.path,
        env=project.environment(
            BENCHMARK_TABLES=str(tables),
            BENCHMARK_TESTS=str(tests),
            BENCHMARK_FLOOR_TESTS=str(floor_tests),
            BENCHMARK_OUTPUT=str(output),
        ),
        capture_output=True,
        text=True,
        check=False,
        timeout=RUN_SECONDS,
    )
    if done.returncode:
        raise RuntimeError(
            f"The measured tests failed:\n{done.stdout[-4000:]}{done.stderr[-2000:]}"
        )
    return Samples(json.loads(output.read_text()))


def table(database: str, *, rounds: int = 3, tests: int = 80, floor_tests: int = 3) -> Table:
    """Return set-up and teardown on this engine as a table.

    These times include a server and a disk, and other work can only lengthen them. Therefore the
    lower quartile of the tests counts, and the minimum of all rounds.
    """
    ours, floor = Samples(), Samples()
    with baked(database) as project:
        for number in range(rounds):
            for count in TABLES:
                of_floor = 0 if number else floor_tests
                samples = measure(project, count, tests=tests, floor_tests=of_floor)
                ours.add(str(count), samples.quartile(FIXTURES))
                if of_floor:
                    floor.add(str(count), samples.quartile(FLOOR))
    rows = []
    for name in map(str, TABLES):
        usual, spent = floor.least(name), ours.least(name)
        details = (f"{usual:.1f} ms", f"{usual / spent:.0f} x")
        rows.append(Row(f"{name} tables", spent, BOUNDS_MS[database], details, "ms"))
    growth = f"{TABLES[-1]} tables against {TABLES[0]}"
    ratio = ours.least(str(TABLES[-1])) / ours.least(str(TABLES[0]))
    rows.append(Row(growth, ratio, GROWTH_BOUND, ("", "")))
    return Table(f"Set-up and teardown of a test, {database}", (FLOOR, "that / ours"), rows, "ours")
