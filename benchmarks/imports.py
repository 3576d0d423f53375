"""CPU of importing the package and making an application, against an older release.

The older release is rendered from this repository's history and measured with the same libraries,
in turn with the present one.
"""

import os
import resource
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.projects import BAKE_SECONDS, COMMAND_SECONDS, TEMPLATE
from benchmarks.report import Row, Samples, Table

BEFORE = "98e06c1"
BOUND = 0.6

LIBRARIES = "import sqlalchemy.orm, flask, flask_openapi, pydantic_settings"
SERVICE = (
    "from my_service import create_app; from my_service.settings import Settings;"
    " create_app(Settings(database_url='sqlite:///unused.db'))"
)
OLD = f"{BEFORE}: package and create_app"
NEW = "this release: package and create_app"
FLOOR = "SQLAlchemy, Flask, flask-openapi and pydantic-settings alone"


@contextmanager
def release(revision: str) -> Iterator[Path]:
    """Yield the template as it was at this commit. Raises RuntimeError in a shallow clone."""
    with TemporaryDirectory(prefix="benchmark-") as folder:
        archive = subprocess.run(
            ["git", "archive", revision], cwd=TEMPLATE, capture_output=True, check=False
        )
        if archive.returncode != 0:
            raise RuntimeError(f"The commit {revision} is not in this clone: fetch its history.")
        subprocess.run(["tar", "--extract"], cwd=folder, input=archive.stdout, check=True)
        yield Path(folder)


@contextmanager
def package(template: Path) -> Iterator[Path]:
    """Yield the folder with the package of a project with the defaults, compiled."""
    with TemporaryDirectory(prefix="benchmark-") as folder:
        command = [sys.executable, "-m", "cookiecutter", str(template), "--no-input", "setup=no"]
        subprocess.run(
            [*command, "--output-dir", folder],
            check=True,
            timeout=BAKE_SECONDS,
            stdout=subprocess.DEVNULL,
            env={**os.environ, "HOME": folder},
        )
        (source,) = Path(folder).glob("*/src")
        subprocess.run([sys.executable, "-m", "compileall", "-q", str(source)], check=True)
        yield source


def seconds(source: Path, program: str) -> float:
    """Return the CPU seconds of a new process that runs the program."""
    before = cpu_of_children()
    subprocess.run(
        [sys.executable, "-c", program],
        check=True,
        timeout=COMMAND_SECONDS,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(source)},
    )
    return cpu_of_children() - before


def cpu_of_children() -> float:
    """Return the CPU seconds of all processes that this one started, and that ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def table(*, rounds: int = 15) -> Table:
    """Return the CPU of importing as a table; the figure is the ratio of the minima."""
    samples = Samples()
    with release(BEFORE) as old, package(old) as before, package(TEMPLATE) as now:
        for _ in range(rounds):
            samples.add(OLD, seconds(before, SERVICE))
            samples.add(NEW, seconds(now, SERVICE))
            samples.add(FLOOR, seconds(now, LIBRARIES))
    least = {name: samples.least(name) for name in (OLD, NEW, FLOOR)}
    rows = [
        Row(name, least[name] / least[OLD], bound, (f"{least[name] * 1e3:.0f} ms",))
        for name, bound in ((OLD, None), (NEW, BOUND), (FLOOR, None))
    ]
    return Table("Import of the package and create_app", ("CPU",), rows, f"CPU / {BEFORE}")
