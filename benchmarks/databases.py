"""Private databases for benchmarks: a file, or a server that runs during the benchmark."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from benchmarks.projects import Project

STOP_SECONDS = 30

# Runs in the project and starts its server; exits when the input ends.
SERVE = """
import importlib, sys
server = importlib.import_module(f"dev.server_{sys.argv[1]}")
process, url = server.start_temporary()
try:
    url = url.set(database="benchmark")
    server.create_database(url)
    print(url.render_as_string(hide_password=False), flush=True)
    sys.stdin.read()
finally:
    process.stop()
"""


@contextmanager
def database_url(project: Project) -> Iterator[str]:
    """Yield the URL of an empty database for this project."""
    if project.database == "sqlite":
        yield f"sqlite:///{project.path}/benchmark.db"
        return
    with subprocess.Popen(
        [sys.executable, "-c", SERVE, project.database],
        cwd=project.path,
        env=project.environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as server:
        assert server.stdin is not None  # noqa: S101
        assert server.stdout is not None  # noqa: S101
        url = server.stdout.readline().strip()
        if not url:
            raise RuntimeError(f"No private {project.database} could be started.")
        try:
            yield url
        finally:
            server.stdin.close()
            server.wait(STOP_SECONDS)
