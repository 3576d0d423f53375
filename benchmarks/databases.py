"""Private databases for benchmarks: a file, or a server that runs during the benchmark."""

import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from benchmarks.projects import Project

STOP_SECONDS = 30

# Runs in the project and starts its server; exits when the input ends.
SERVE = """
import importlib, sys
server = importlib.import_module(f"dev.server_{sys.argv[1]}")
process, url = server.start_temporary()
try:
    for name in sys.argv[2:]:
        url = url.set(database=name)
        server.create_database(url)
        print(url.render_as_string(hide_password=False), flush=True)
    sys.stdin.read()
finally:
    process.stop()
"""


@contextmanager
def database_url(project: Project) -> Iterator[str]:
    """Yield the URL of an empty database for this project."""
    with database_urls(project, ["benchmark"]) as (url,):
        yield url


@contextmanager
def database_urls(project: Project, names: Sequence[str]) -> Iterator[list[str]]:
    """Yield the URLs of empty databases of one server for this project."""
    if project.database == "sqlite":
        yield [f"sqlite:///{project.path}/{name}.db" for name in names]
        return
    with subprocess.Popen(
        [sys.executable, "-c", SERVE, project.database, *names],
        cwd=project.path,
        env=project.environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as server:
        assert server.stdin is not None  # noqa: S101
        assert server.stdout is not None  # noqa: S101
        urls = [server.stdout.readline().strip() for _ in names]
        if not all(urls):
            raise RuntimeError(f"No private {project.database} could be started.")
        try:
            yield urls
        finally:
            server.stdin.close()
            server.wait(STOP_SECONDS)
