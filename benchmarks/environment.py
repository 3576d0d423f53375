"""Makes the virtual environment of the benchmarks, `build/benchmarks`: `make bench` runs this.

It has what any generated service declares, and the group `bench` of pyproject.toml.
"""

from benchmarks.projects import TEMPLATE
from tests.harness.environments import benchmark_environment

FOLDER = TEMPLATE / "build" / "benchmarks"
READY = FOLDER / "ready"


def make() -> None:
    """Make it, if it is not what it has to be, and mark it as ready."""
    benchmark_environment(FOLDER)
    READY.touch()


if __name__ == "__main__":
    make()
