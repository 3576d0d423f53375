"""Backup and restore as docs/operations.md describes them, while the service writes."""

import re
import subprocess
from pathlib import Path
from threading import Event, Thread
from urllib.parse import urlsplit

import pytest

from tests.harness.baked import Bake, BakedProject, clean_environment
from tests.harness.environments import Environment
from tests.harness.servers import SECRET_KEY, Service, database

pytestmark = pytest.mark.slow

PATH = "/api/v1/items"


def commands(project: BakedProject) -> list[str]:
    """Return the commands of the document."""
    text = project.text("docs/operations.md").partition("## Backup and restore")[2]
    [block] = re.findall(r"```sh\n(.*?)```", text, re.DOTALL)
    return [line.partition("  #")[0].strip() for line in block.splitlines()]


def run(command: str, folder: Path, variables: dict[str, str]) -> str:
    """Run a command of the document with a shell."""
    done = subprocess.run(
        ["sh", "-c", command],
        cwd=folder,
        env=clean_environment(variables),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("engine", ["sqlite", "postgresql"])
def test_a_restored_backup_is_whole_and_serves(
    bake: Bake, environment: Environment, tmp_path: Path, engine: str
) -> None:
    project = bake(database=engine)
    settings = {"ENVIRONMENT": "production", "SECRET_KEY": SECRET_KEY, "METRICS_PORT": "0"}
    flask = (environment.program("flask"), "--app", project.package)
    with database(project, environment, tmp_path) as url:
        settings["DATABASE_URL"] = url
        variables = {**environment.variables, **settings}
        project.run(*flask, "db", "upgrade", variables=variables)
        with Service(project, environment, settings, tmp_path / "log") as service:
            names = [f"before-{number}" for number in range(20)]
            for name in names:
                assert service.call("POST", PATH, {"name": name}).status == 201
            stop = Event()

            def write() -> None:
                number = 0
                while not stop.is_set():
                    service.call("POST", PATH, {"name": f"meanwhile-{number}"})
                    number += 1

            written = Thread(target=write)
            written.start()
            try:
                restored = restore(engine, commands(project), url, tmp_path, variables)
            finally:
                stop.set()
                written.join()
        settings["DATABASE_URL"] = restored
        variables |= settings
        project.run(*flask, "db", "upgrade", variables=variables)
        with Service(project, environment, settings, tmp_path / "log") as service:
            assert service.call("GET", "/readyz").status == 200
            found = {
                item["name"] for item in service.call("GET", f"{PATH}?limit=100").json["items"]
            }
            assert set(names) <= found
            assert service.call("POST", PATH, {"name": "after"}).status == 201


def restore(
    engine: str, lines: list[str], url: str, folder: Path, variables: dict[str, str]
) -> str:
    """Run the commands; return the URL of the restored database."""
    if engine == "sqlite":
        backup, check = lines
        file = urlsplit(url).path.removeprefix("/")
        backup = re.sub(r"^sqlite3 \S+", f"sqlite3 {file}", backup)
        run(backup, folder, variables)
        assert run(check, folder, variables) == "ok\n"
        return f"sqlite:///{folder}/backup.db"
    plain = urlsplit(url.replace("postgresql+psycopg:", "postgresql:"))
    restored = plain._replace(path="/restored").geturl()
    for line in lines:
        given = {"DATABASE_URL": plain.geturl(), "RESTORED_URL": restored}
        run(line, folder, variables | given)
    return restored
