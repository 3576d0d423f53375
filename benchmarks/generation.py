"""CPU of one generation with all hooks, against a template of one file without hooks."""

import json
import os
import resource
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.projects import BAKE_SECONDS, TEMPLATE
from benchmarks.report import Row, Samples, Table

BOUND = 1.6
COOKIECUTTER = (sys.executable, "-m", "cookiecutter")
FLOOR = "one file, no hooks"
OURS = "this template, all hooks"


@contextmanager
def smallest_template() -> Iterator[Path]:
    """Yield a template of one file."""
    with TemporaryDirectory(prefix="benchmark-") as folder:
        project = Path(folder, "{{cookiecutter.project_slug}}")
        project.mkdir()
        (project / "README.md").write_text("# {{ cookiecutter.project_slug }}\n")
        answers = {"project_slug": "my-service"}
        Path(folder, "cookiecutter.json").write_text(json.dumps(answers))
        yield Path(folder)


def generate(template: Path, *answers: str) -> float:
    """Generate a project and return the CPU seconds of the generation and its hooks."""
    # As on a machine that compiles modules once, not again for each run.
    compiling = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    with TemporaryDirectory(prefix="benchmark-") as folder:
        before = _children_seconds()
        subprocess.run(
            [*COOKIECUTTER, str(template), "--no-input", "--output-dir", folder, *answers],
            check=True,
            timeout=BAKE_SECONDS,
            stdout=subprocess.DEVNULL,
            env={**compiling, "HOME": folder},
        )
        return _children_seconds() - before


def _children_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def table(*, rounds: int = 15) -> Table:
    """Return the generation as a table; the figure is the ratio of the minima of all rounds."""
    samples = Samples()
    with smallest_template() as smallest:
        for _ in range(rounds):
            samples.add(FLOOR, generate(smallest))
            samples.add(OURS, generate(TEMPLATE, "setup=no"))
    least = {name: samples.least(name) for name in (FLOOR, OURS)}
    rows = [
        Row(name, least[name] / least[FLOOR], bound, (f"{least[name] * 1e3:.0f} ms",))
        for name, bound in ((FLOOR, None), (OURS, BOUND))
    ]
    return Table("`cookiecutter --no-input`, setup=no", ("CPU",), rows, "CPU / floor")
