"""The service behind a real PgBouncer in transaction pooling, as docs/operations.md sets it up."""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import parse_qs, urlsplit
from uuid import uuid4

import pytest

from tests.harness.baked import Bake, BakedProject, clean_environment
from tests.harness.environments import Environment
from tests.harness.report import Proved
from tests.harness.servers import (
    HOST,
    SECONDS_TO_STOP,
    Service,
    database,
    free_port,
    production,
    wait_until,
)

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("pooler")]

PATH = "/api/v1/items"
THREADS = 4
REQUESTS = 60

# Its usual settings, but for the places of a test. Fewer connections than the service has show that
# each transaction gets another one.
CONFIGURATION = """
[databases]
{name} = host={host} dbname={name} user={user}

[pgbouncer]
listen_addr = {listen}
listen_port = {port}
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = 2
logfile = {folder}/pgbouncer.log
pidfile = {folder}/pgbouncer.pid
"""

RUN_SQL = """
import sys
import psycopg
with psycopg.connect(sys.argv[1], autocommit=True) as connection:
    for statement in sys.argv[2:]:
        print(connection.execute(statement).statusmessage)
"""


@pytest.fixture(scope="module")
def project(session_bake: Bake) -> BakedProject:
    """A project on PostgreSQL."""
    return session_bake(database="postgresql")


@pytest.fixture(scope="module")
def server_url(
    project: BakedProject, environment: Environment, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """A database that was migrated past the pooler, which does not run yet."""
    with database(project, environment, tmp_path_factory.mktemp("database")) as url:
        pooler = f"postgresql://nobody@{HOST}:{free_port()}/nothing?prepare_threshold=none"
        urls = {"DATABASE_URL": pooler, "MIGRATION_DATABASE_URL": url}
        flask = (environment.program("flask"), "--app", project.package)
        project.run(*flask, "db", "upgrade", variables={**environment.variables, **urls})
        yield url


def run_sql(environment: Environment, url: str, *statements: str) -> None:
    """Run statements on the server itself."""
    plain = url.replace("postgresql+psycopg:", "postgresql:")
    subprocess.run([environment.python, "-c", RUN_SQL, plain, *statements], check=True)


@contextmanager
def pgbouncer(server_url: str) -> Iterator[str]:
    """Run a pooler before a server on this machine, and yield the URL to use it.

    Its folder is not one of pytest, which other accounts than this one cannot reach.
    """
    with TemporaryDirectory(prefix="pooler-") as name:
        yield from _pgbouncer(server_url, Path(name))


def _pgbouncer(server_url: str, folder: Path) -> Iterator[str]:
    program = shutil.which("pgbouncer", path=f"{os.environ['PATH']}:/usr/sbin:/usr/local/sbin")
    if program is None:
        pytest.skip("PgBouncer is not installed: tools/install_pgbouncer.sh")
    server = urlsplit(server_url)
    [socket_folder] = parse_qs(server.query)["host"]
    name, port = server.path.removeprefix("/"), free_port()
    file = folder / "pgbouncer.ini"
    file.write_text(
        CONFIGURATION.format(
            name=name,
            host=socket_folder,
            user=server.username,
            listen=HOST,
            port=port,
            folder=folder,
        )
    )
    command: list[str | Path] = [program, "--quiet", file]
    if os.geteuid() == 0:  # it refuses to run as root
        owner = Path(socket_folder).owner()
        shutil.chown(folder, owner)
        command[1:1] = ["--user", owner]
    log = folder / "output"
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env=clean_environment({}),
        )
    try:
        wait_until((folder / "pgbouncer.pid").exists, process, log)
        yield f"{server.scheme}://{server.username}:not-a-secret@{HOST}:{port}/{name}"
    finally:
        process.terminate()
        process.wait(SECONDS_TO_STOP)


@contextmanager
def served(
    project: BakedProject, environment: Environment, folder: Path, url: str
) -> Iterator[Service]:
    """Serve behind the pooler."""
    settings = production(url, GRACEFUL_TIMEOUT_SECONDS="1")
    with Service(project, environment, settings, folder / "log") as service:
        yield service


def test_a_service_behind_a_pooler_serves_with_its_limits(
    project: BakedProject,
    environment: Environment,
    server_url: str,
    tmp_path: Path,
    proved: Proved,
) -> None:
    run_sql(environment, server_url, "ALTER ROLE CURRENT_USER SET statement_timeout = '15s'")
    with pgbouncer(server_url) as url:
        with served(project, environment, tmp_path, f"{url}?prepare_threshold=none") as service:
            assert service.call("GET", "/readyz").status == 200

            def create_and_read(number: int) -> int:
                name = f"pooled {number} {uuid4()}"
                created = service.call("POST", PATH, {"name": name})
                assert service.call("GET", created.headers["Location"]).json == created.json
                return created.status

            with ThreadPoolExecutor(2 * THREADS) as callers:
                assert set(callers.map(create_and_read, range(REQUESTS))) == {201}
            assert service.call("GET", f"{PATH}?limit=100").status == 200
        said = (tmp_path / "log").read_text()
        assert "STATEMENT_TIMEOUT_SECONDS" not in said
        assert not re.search(r'"status":5|Traceback', said)
    proved("pooler", program="pgbouncer", requests=2 * REQUESTS)


def test_a_limit_that_does_not_arrive_is_in_the_log(
    project: BakedProject, environment: Environment, server_url: str, tmp_path: Path
) -> None:
    run_sql(environment, server_url, "ALTER ROLE CURRENT_USER RESET statement_timeout")
    with (
        pgbouncer(server_url) as url,
        served(project, environment, tmp_path, f"{url}?prepare_threshold=none") as service,
    ):
        assert service.call("GET", PATH).status == 200
    assert (
        "does not apply STATEMENT_TIMEOUT_SECONDS (it has 0 ms)" in (tmp_path / "log").read_text()
    )


def test_why_a_pooler_rejects_the_service_is_in_the_log(
    project: BakedProject, environment: Environment, server_url: str, tmp_path: Path
) -> None:
    """Without `prepare_threshold=none` the service sends its limit as an option at the start."""
    with (
        pgbouncer(server_url) as url,
        served(project, environment, tmp_path, url) as service,
    ):
        assert service.call("GET", PATH).is_problem(503)
        assert service.call("GET", "/readyz").is_problem(503)
    assert "unsupported startup parameter" in (tmp_path / "log").read_text()
