"""Private databases to measure on: a file, or a server that is started for the run and stopped."""

from collections.abc import Iterator
from contextlib import contextmanager

from benchmarks.projects import Project


@contextmanager
def database_url(project: Project) -> Iterator[str]:
    """The URL of an empty database for this project."""
    if project.database != "sqlite":
        raise NotImplementedError
    yield f"sqlite:///{project.path}/benchmark.db"
