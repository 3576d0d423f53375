"""The running service of each variant: under gunicorn, on its real engine."""

import contextlib
import http.client
import json
import re
import signal
import subprocess
import time
from pathlib import Path
from uuid import uuid4

import pytest

from tests.harness.baked import BakedProject
from tests.harness.environments import Environment
from tests.harness.report import Proved
from tests.harness.servers import HOST, Response, Service
from tests.harness.variants import Variant

pytestmark = [pytest.mark.slow, pytest.mark.one_for_each_engine, pytest.mark.open_to_all]

PUBLIC_NAMES = """
from {package} import create_app
from {package}.settings import Settings
from {package}.database import Base, db

settings = Settings(database_url={url!r})
first, second = create_app(settings), create_app(settings)
with first.app_context():
    engine, session = db.engine, db.session()
    with second.app_context():
        assert db.engine is not engine and db.session() is not session
assert Base.metadata.tables
try:
    db.session()
except RuntimeError as error:
    print(error)
"""


@pytest.fixture
def path(project: BakedProject) -> str:
    """The path of the resource."""
    return f"/api/v1/{project.answers['resource_plural']}"


def new(**members: object) -> dict[str, object]:
    """Return a valid document to create."""
    return {"name": f"The first one {uuid4()}", **members}


def test_a_row_is_created_read_listed_patched_and_deleted(service: Service, path: str) -> None:
    created = service.call("POST", path, new())
    assert created.status == 201, created
    place = created.headers["Location"]
    assert place == f"{path}/{created.json['id']}"

    read = service.call("GET", place)
    assert read.status == 200
    assert read.json == created.json

    page = service.call("GET", f"{path}?limit=100")
    assert page.status == 200
    assert set(page.json) == {"items", "next"}
    assert created.json in page.json["items"]

    match = {"If-Match": read.headers["ETag"]}
    patched = service.call("PATCH", place, {"description": "A better one"}, match)
    assert (patched.status, patched.json["description"]) == (200, "A better one")

    match = {"If-Match": patched.headers["ETag"]}
    deleted = service.call("DELETE", place, headers=match)
    assert (deleted.status, deleted.body) == (204, b"")
    assert service.call("GET", place).is_problem(404)


def test_a_business_key_is_unique(service: Service, path: str) -> None:
    document = new()
    assert service.call("POST", path, document).status == 201
    assert service.call("POST", path, document).is_problem(409)


def test_an_unknown_id_is_not_found(service: Service, path: str) -> None:
    assert service.call("GET", f"{path}/{uuid4()}").is_problem(404)


def test_an_unknown_path_gives_a_problem_document(service: Service) -> None:
    assert service.call("GET", "/nothing").is_problem(404)


def test_malformed_json_is_rejected(service: Service, path: str) -> None:
    assert service.call("POST", path, '{"name": ').is_problem(400)


def test_a_wrong_type_is_rejected_with_the_name_of_the_field(service: Service, path: str) -> None:
    response = service.call("POST", path, new(description=["12"], name=5))
    assert response.is_problem(422)
    assert {error["pointer"] for error in response.json["errors"]} == {"#/description", "#/name"}


def test_another_media_type_is_rejected(service: Service, path: str) -> None:
    text = {"Content-Type": "text/plain"}
    assert service.call("POST", path, json.dumps(new()), text).is_problem(415)


def test_service_is_ready(service: Service) -> None:
    assert service.call("GET", "/livez").status == 200
    assert service.call("GET", "/readyz").status == 200


def test_rows_survive_a_restart(service: Service, path: str) -> None:
    created = service.call("POST", path, new())
    assert service.stop() == 0
    service.start()
    assert service.call("GET", created.headers["Location"]).json == created.json


def test_term_lets_a_running_request_finish(service: Service, path: str) -> None:
    body = json.dumps(new()).encode()
    connection = http.client.HTTPConnection(HOST, service.port, timeout=30)
    with contextlib.closing(connection):
        connection.putrequest("POST", path)
        connection.putheader("Content-Type", "application/json")
        connection.putheader("Content-Length", str(len(body)))
        connection.endheaders(body[:20])
        time.sleep(0.5)  # the view waits for the rest of the body
        service.send(signal.SIGTERM)
        time.sleep(0.5)
        connection.send(body[20:])
        response = connection.getresponse()
        created = Response(response.status, dict(response.getheaders()), response.read())
    assert service.stop() == 0
    service.start()
    assert created.status == 201
    assert service.call("GET", created.headers["Location"]).json == created.json


@pytest.mark.parametrize("how", ["gunicorn", "flask"])
def test_invalid_settings_stop_the_start_with_all_errors(
    service: Service, project: BakedProject, environment: Environment, how: str
) -> None:
    secret = "hunter2"
    wrong = {
        "ENVIRONMENT": "production",
        "DATABASE_URL": f"oracle://user:{secret}@host/x",
        "SECRET_KEY": secret,
        "THREADS": "many",
    }
    commands: dict[str, list[str | Path]] = {
        "gunicorn": service.command,
        "flask": [environment.program("flask"), "--app", project.package, "db", "upgrade"],
    }
    variables = {**environment.variables, **wrong}
    done = project.run(*commands[how], status=None, variables=variables)
    said = done.stdout + done.stderr
    assert done.returncode != 0
    assert "DATABASE_URL: has the unknown driver 'oracle'" in said
    assert "SECRET_KEY: is shorter than" in said
    assert "THREADS: " in said
    assert secret not in said


def test_missing_settings_are_reported(
    project: BakedProject, environment: Environment, tmp_path: Path
) -> None:
    paths = environment.variables | {"PYTHONPATH": str(project.path / "src")}
    done = subprocess.run(
        [environment.python, "-c", f"import {project.package} as p; p.create_app()"],
        cwd=tmp_path,
        env=paths | {"ENVIRONMENT": "production"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode != 0
    assert "DATABASE_URL: " in done.stderr
    assert "SECRET_KEY: is required in production" in done.stderr
    assert "Traceback" not in done.stderr


def test_public_names_and_several_applications_in_one_process(
    project: BakedProject, environment: Environment, database_url: str
) -> None:
    script = PUBLIC_NAMES.format(package=project.package, url=database_url)
    done = project.run(environment.python, "-c", script, variables=environment.variables)
    assert "application context" in done.stdout


def test_every_command_of_the_readme_exists(
    service: Service, project: BakedProject, environment: Environment
) -> None:
    commands = set(re.findall(r"flask --app \w+ ([a-z][a-z -]*[a-z])", project.text("README.md")))
    assert commands
    for command in commands:
        arguments = ("--app", project.package, *command.split(), "--help")
        variables = {**environment.variables, **service.settings}
        project.run(environment.program("flask"), *arguments, variables=variables)


def test_service_is_proved(service: Service, variant: Variant, proved: Proved) -> None:
    assert service.is_alive()
    proved("service", variant=str(variant))
