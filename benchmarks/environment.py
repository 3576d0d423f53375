"""Creates the virtual environment of the benchmarks, `build/benchmarks`: `make bench` runs this.

It contains the dependencies of all variants and the group `bench` of pyproject.toml.
"""

from benchmarks.projects import TEMPLATE
from tests.harness.environments import benchmark_environment

FOLDER = TEMPLATE / "build" / "benchmarks"
READY = FOLDER / "ready"


def make() -> None:
    """Create the environment if it is missing or out of date, and mark it as ready."""
    benchmark_environment(FOLDER)
    READY.touch()


if __name__ == "__main__":
    make()
