"""CPU of the first minutes: a project with the defaults, set up, against an older release.

Set-up installs from the cache of packages, which the first round fills, and runs tests.
"""

import os
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.generation import COOKIECUTTER
from benchmarks.imports import BEFORE, cpu_of_children, release
from benchmarks.projects import TEMPLATE
from benchmarks.report import Row, Samples, Table

BOUND = 0.6
SET_UP_SECONDS = 600

NOT_OF_A_PERSON = ("PYTHONDONTWRITEBYTECODE", "PYTHONPATH")
"""As on a machine that compiles modules once, not again for each program."""

OLD = f"{BEFORE}: from the command to ready"
NEW = "this release: from the command to ready"


def seconds(template: Path) -> float:
    """Return the CPU seconds of a generation with set-up. Raises RuntimeError if it failed."""
    kept = {name: value for name, value in os.environ.items() if name not in NOT_OF_A_PERSON}
    with TemporaryDirectory(prefix="benchmark-") as folder:
        before = cpu_of_children()
        done = subprocess.run(
            [*COOKIECUTTER, str(template), "--no-input", "--output-dir", folder],
            check=True,
            timeout=SET_UP_SECONDS,
            stdout=subprocess.PIPE,
            text=True,
            env={**kept, "COOKIECUTTER_CONFIG": _configuration(Path(folder))},
        )
        used = cpu_of_children() - before
    if " is ready: " not in done.stdout:
        raise RuntimeError(f"The set-up failed:\n{done.stdout}")
    return used


def _configuration(folder: Path) -> str:
    """Write a configuration of cookiecutter that leaves the home folder alone."""
    file = folder / "cookiecutter.yaml"
    file.write_text(f"replay_dir: {folder / 'replay'}\n", encoding="utf-8")
    return str(file)


def table(*, rounds: int = 3) -> Table:
    """Return the set-up as a table; the figure is the ratio of the minima of all rounds."""
    samples = Samples()
    with release(BEFORE) as old:
        for _ in range(rounds):
            samples.add(OLD, seconds(old))
            samples.add(NEW, seconds(TEMPLATE))
    least = {name: samples.least(name) for name in (OLD, NEW)}
    rows = [
        Row(name, least[name] / least[OLD], bound, (f"{least[name]:.1f} s",))
        for name, bound in ((OLD, None), (NEW, BOUND))
    ]
    return Table("`cookiecutter --no-input`, with set-up", ("CPU",), rows, f"CPU / {BEFORE}")
