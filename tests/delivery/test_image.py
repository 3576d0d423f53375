"""The image of the Dockerfile: built, migrated, called and stopped, on each engine."""

import contextlib
import http.client
import json
import os
import re
import shlex
import shutil
import signal
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit
from uuid import uuid4

import pytest
import yaml

from tests.harness.baked import Bake, BakedProject
from tests.harness.environments import Environment
from tests.harness.fixtures import BUILD, DRIVERS
from tests.harness.images import (
    Buildah,
    Container,
    NoImagesError,
    ServiceInContainer,
    can_build,
    seconds_since,
)
from tests.harness.report import Proved
from tests.harness.servers import HOST, SECRET_KEY, database, free_port
from tests.service.test_background_jobs import PASSWORD, broker

pytestmark = [
    pytest.mark.slow,
    pytest.mark.xdist_group("image"),
    pytest.mark.about("deployment"),
]

# Repeats the check until it succeeds, for at most half a minute; it prints `ready` itself.
WORK_UNTIL_READY = """
$1 >/tmp/log 2>&1 &
for _ in 1 2 3 4 5 6; do sleep 2; sh -c "$2" >>/tmp/log 2>&1 && echo ready && break; done
kill -TERM $!
wait $!
status=$?
[ "$status" = 0 ] || cat /tmp/log
echo "stopped with $status"
"""

COMPILERS = ("cc", "gcc", "c++", "ld", "as", "make", "uv", "git")
NOBODY = 10001


@pytest.fixture(scope="module")
def buildah() -> Buildah:
    """The store of images, with the base image of every Dockerfile."""
    try:
        can_build()
    except NoImagesError as error:
        pytest.skip(str(error))
    return Buildah(BUILD / "containers")


@pytest.fixture(scope="module", params=("sqlite", *DRIVERS))
def project(request: pytest.FixtureRequest, session_bake: Bake) -> BakedProject:
    """A project for each driver, with a Dockerfile and all programs that may run in its image."""
    return session_bake(database=request.param, deployment="docker", background_jobs="celery")


@pytest.fixture(scope="module")
def container(
    buildah: Buildah, project: BakedProject, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Container]:
    """The image, built and mounted; with a volume for a database that is a file."""
    [base] = re.findall(r"^ARG PYTHON_IMAGE=(.*)$", project.text("Dockerfile"), re.MULTILINE)
    buildah.make_base(base)
    tag = f"localhost/{project.package}-{project.answers['database']}"
    buildah.build(project, tag)
    configuration = buildah.configuration(tag)
    name = buildah("from", "--pull-never", tag).strip()
    root = Path(buildah("mount", name).strip())
    mounts = {}
    for volume in configuration["Volumes"] or ():
        folder = tmp_path_factory.mktemp("volume")
        shutil.copystat(root / volume.lstrip("/"), folder)
        status = (root / volume.lstrip("/")).stat()
        os.chown(folder, status.st_uid, status.st_gid)
        for above in list(folder.parents)[: len(folder.parents) - 2]:
            above.chmod(above.stat().st_mode | 0o011)
        mounts[folder] = Path(volume)
    yield Container(root, configuration, mounts)
    buildah("umount", name)
    buildah("rm", name)


@pytest.fixture(scope="module")
def in_place(
    container: Container,
    project: BakedProject,
    environment: Environment,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[Container, dict[str, str]]]:
    """The container, its settings and an empty database of its engine."""
    with database(project, environment, tmp_path_factory.mktemp("database")) as url:
        if project.answers["database"] == "sqlite":
            yield container, {"SECRET_KEY": SECRET_KEY}
            return
        query = dict(parse_qsl(urlsplit(url).query))
        place = query.get("unix_socket") or query["host"]
        folder = Path(place) if Path(place).is_dir() else Path(place).parent
        folder.chmod(0o711)  # for the socket in it
        mounts = {**container.mounts, folder: folder}
        yield replace(container, mounts=mounts), {"SECRET_KEY": SECRET_KEY, "DATABASE_URL": url}


def test_the_image_contains_only_what_runs(container: Container, project: BakedProject) -> None:
    places = ("bin", "sbin", "usr/bin", "usr/sbin", "usr/local/bin", "opt/service/bin")
    found = {path.name for place in places for path in (container.root / place).glob("*")}
    assert "gunicorn" in found
    assert not found & set(COMPILERS)
    assert [path.name for path in (container.root / "srv").iterdir()] == ["gunicorn.conf.py"]
    packages = next((container.root / "opt/service/lib").glob("python3*/site-packages"))
    assert (packages / project.package / "wsgi.py").exists()
    assert not {"pytest", "mypy", "pip"} & {path.name for path in packages.iterdir()}
    secrets = [path for path in container.root.rglob(".env") if "proc" not in path.parts]
    assert not secrets


def test_the_image_declares_how_to_run_it(container: Container) -> None:
    configuration = container.configuration
    assert configuration["User"] == f"{NOBODY}:{NOBODY}"
    assert configuration["StopSignal"] == "SIGTERM"
    assert configuration["Healthcheck"]["Test"][0] == "CMD"
    assert not [line for line in configuration["Env"] if line.startswith("SECRET_KEY")]


def test_the_user_of_the_image_cannot_change_files(container: Container) -> None:
    words = container.run({}, "sh", "-c", "id -u; touch /srv/x /opt/service/x || echo denied")
    assert words.splitlines()[0] == str(NOBODY)
    assert "Read-only file system" in words
    assert words.splitlines()[-1] == "denied"
    for path in ("srv", "opt/service/bin", "opt/service/bin/gunicorn"):
        assert (container.root / path).lstat().st_uid == 0


def test_the_image_names_missing_settings(container: Container) -> None:
    with pytest.raises(AssertionError, match="SECRET_KEY: is required in production"):
        container.run({}, *container.configuration["Cmd"])


def test_the_image_migrates_serves_and_finishes_a_request_on_term(
    in_place: tuple[Container, dict[str, str]],
    project: BakedProject,
    environment: Environment,
    tmp_path: Path,
    proved: Proved,
) -> None:
    began = time.monotonic()
    container, settings = in_place
    services = yaml.safe_load(project.text("compose.yaml"))["services"]
    path = f"/api/v1/{project.answers['resource_plural']}"
    log = tmp_path / "log"
    with ServiceInContainer(project, environment, settings, log, container=container) as service:
        assert service.call("GET", "/readyz").is_problem(503)
        container.run(settings, *services["migration"]["command"])
        assert service.call("GET", "/readyz").status == 200
        check = container.configuration["Healthcheck"]["Test"][1:]
        container.run({"METRICS_PORT": str(service.management_port)}, *check)

        body = json.dumps({"name": f"The first one {uuid4()}"})
        created = service.call("POST", path, body)
        assert created.status == 201, created
        assert service.call("POST", path, body).is_problem(409)
        status, place = create_while_it_stops(service, path)
        assert status == 201
        assert service.stop() == 0
        service.start()
        assert service.call("GET", created.headers["Location"]).json == created.json
        assert service.call("GET", place).status == 200
    assert "Traceback" not in log.read_text()
    proved("image", variant=f"database={project.answers['database']}", seconds=seconds_since(began))


def test_a_worker_runs_in_the_image_is_ready_and_stops(
    in_place: tuple[Container, dict[str, str]], project: BakedProject, environment: Environment
) -> None:
    container, settings = in_place
    port = free_port()
    broker_url = f"redis://:{PASSWORD}@{HOST}:{port}/0"
    services = yaml.safe_load(project.text("compose.yaml"))["services"]
    [check] = services["worker"]["healthcheck"]["test"][1:]
    with broker(project, environment, port):
        container.run(settings, *services["migration"]["command"])
        said = container.run(
            {**settings, "BROKER_URL": broker_url, "METRICS_PORT": "0"},
            *("sh", "-c", WORK_UNTIL_READY, "sh", shlex.join(services["worker"]["command"])),
            check.replace("$$", "$"),
        )
    assert said.splitlines()[-2:] == ["ready", "stopped with 0"]


def create_while_it_stops(service: ServiceInContainer, path: str) -> tuple[int, str]:
    """Start a request, send TERM, check the probes, and finish the request."""
    body = json.dumps({"name": f"The last one {uuid4()}"}).encode()
    connection = http.client.HTTPConnection(HOST, service.port, timeout=30)
    with contextlib.closing(connection):
        connection.putrequest("POST", path)
        connection.putheader("Content-Type", "application/json")
        connection.putheader("Content-Length", str(len(body)))
        connection.endheaders(body[:20])
        time.sleep(0.3)  # the view waits for the rest of the body
        service.send(signal.SIGTERM)
        time.sleep(0.3)
        assert service.call("GET", "/readyz").is_problem(503)
        assert service.call("GET", "/livez").status == 200
        connection.send(body[20:])
        response = connection.getresponse()
        response.read()
        return response.status, response.headers["Location"]


def test_the_health_check_of_an_unreachable_service_fails(container: Container) -> None:
    check = container.configuration["Healthcheck"]["Test"][1:]
    with pytest.raises(AssertionError, match="URLError"):
        container.run({}, *(part.replace(":8000", ":1") for part in check))
