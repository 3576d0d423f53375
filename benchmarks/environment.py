"""Makes the virtual environment of the benchmarks, `build/benchmarks`: `make bench` runs this.

It has what any generated service declares, and the group `bench` of pyproject.toml.
"""

import subprocess
import sys

from benchmarks.projects import TEMPLATE
from tests.environments import requirements

FOLDER = TEMPLATE / "build" / "benchmarks"
READY = FOLDER / "ready"


def make() -> None:
    """Make it anew, compiled, and mark it as ready."""
    uv = [sys.executable, "-m", "uv"]
    python = FOLDER / "bin" / "python"
    make_folder = [*uv, "venv", "--quiet", "--clear", "--python", sys.executable, str(FOLDER)]
    install = [*uv, "pip", "install", "--quiet", "--compile-bytecode", "--python", str(python)]
    subprocess.run(make_folder, check=True)
    subprocess.run(
        [*install, "--group", f"{TEMPLATE}/pyproject.toml:bench", *requirements()], check=True
    )
    READY.touch()


if __name__ == "__main__":
    make()
