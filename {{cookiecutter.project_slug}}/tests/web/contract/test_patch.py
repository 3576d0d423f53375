from threading import Barrier, Thread
from typing import Any

import pytest
import time_machine
from flask.testing import FlaskClient
from sqlalchemy import event
from sqlalchemy.orm import Session

from ...support.api import ANY, MISSING_URL, URL, create, errors_of
from ...support.applications import MakeApp
from ...support.probe import Probe, ProbeFactory, ProbeStatus
from ...support.problems import problem
from ...support.queries import Queries


def test_only_what_is_given_changes(client: FlaskClient, session: Session) -> None:
    with time_machine.travel("2030-01-01T00:00:00Z", tick=False):
        created = create(client, available_at="2030-01-31T12:00:00Z")
    with time_machine.travel("2030-01-02T00:00:00Z", tick=False):
        response = client.patch(
            created.headers["Location"],
            json={"name": "new", "status": "retired", "price": "0"},
            headers={"If-Match": created.headers["ETag"]},
        )

    assert response.status_code == 200
    assert response.headers["ETag"] == '"2"'
    assert created.json is not None
    assert response.json == created.json | {
        "name": "new",
        "status": "retired",
        "price": "0.00",
        "version": 2,
        "updated_at": "2030-01-02T00:00:00Z",
    }
    assert response.json == client.get(created.headers["Location"]).json
    row = session.query(Probe).one()
    assert (row.name, row.status, row.version) == ("new", ProbeStatus.RETIRED, 2)


def test_absent_leaves_a_value_and_null_removes_it(client: FlaskClient) -> None:
    parent = ProbeFactory.create()
    location = create(
        client, available_at="2030-01-31T12:00:00Z", parent_id=str(parent.id)
    ).headers["Location"]

    kept = client.patch(location, json={"name": "new"}, headers=ANY).json
    assert kept is not None
    assert kept["available_at"] == "2030-01-31T12:00:00Z"
    assert kept["parent_id"] == str(parent.id)
    gone = client.patch(location, json={"available_at": None, "parent_id": None}, headers=ANY).json
    assert gone is not None
    assert (gone["available_at"], gone["parent_id"]) == (None, None)


@pytest.mark.parametrize("body", [{}, {"name": "a name"}, {"price": "12.5"}])
def test_a_change_of_nothing_keeps_the_state(client: FlaskClient, body: dict[str, Any]) -> None:
    created = create(client)

    response = client.patch(created.headers["Location"], json=body, headers=ANY)

    assert response.status_code == 200
    assert response.headers["ETag"] == created.headers["ETag"]
    assert response.json == created.json


def test_a_change_is_one_select_and_one_update(client: FlaskClient, queries: Queries) -> None:
    location = create(client).headers["Location"]

    with queries() as statements:
        client.patch(location, json={"name": "new"}, headers={"If-Match": '"1"'})

    assert [statement.split()[0] for statement in statements] == ["SELECT", "UPDATE"]


@pytest.mark.parametrize("name", ["code", "name", "status", "price"])
def test_null_is_not_a_value_for_what_is_required(client: FlaskClient, name: str) -> None:
    location = create(client).headers["Location"]

    document = problem(client.patch(location, json={name: None}, headers=ANY), 422)

    assert errors_of(document).keys() == {f"#/{name}"}


@pytest.mark.parametrize("name", ["id", "version", "created_at", "updated_at"])
def test_what_the_service_sets_cannot_be_changed(client: FlaskClient, name: str) -> None:
    created = create(client)
    assert created.json is not None

    response = client.patch(
        created.headers["Location"], json={name: created.json[name]}, headers=ANY
    )

    assert errors_of(problem(response, 422)).keys() == {f"#/{name}"}


def test_faults_of_all_members_are_named_at_once(client: FlaskClient) -> None:
    body = {"code": "", "price": 1, "available_at": 5, "parent_id": "x", "colour": 1}

    document = problem(client.patch(f"{MISSING_URL}?force=1", json=body, headers=ANY), 422)

    assert errors_of(document).keys() == {"force", *(f"#/{name}" for name in body)}


def test_a_code_that_is_taken_is_a_conflict(client: FlaskClient, session: Session) -> None:
    create(client, code="taken")
    location = create(client).headers["Location"]

    problem(client.patch(location, json={"code": "taken"}, headers=ANY), 409)

    assert {row.code for row in session.query(Probe)} == {"taken", "A-1001"}


def test_value_that_a_check_of_the_table_rejects_is_unprocessable(client: FlaskClient) -> None:
    location = create(client).headers["Location"]

    own = {"parent_id": location.rsplit("/", 1)[1]}
    problem(client.patch(location, json=own, headers=ANY), 422)


def test_a_parent_that_is_not_there_is_a_conflict(client: FlaskClient) -> None:
    location = create(client).headers["Location"]

    nobody = {"parent_id": MISSING_URL.rsplit("/", 1)[1]}
    problem(client.patch(location, json=nobody, headers=ANY), 409)


def test_a_change_that_is_based_on_nothing_is_rejected(client: FlaskClient) -> None:
    location = create(client).headers["Location"]

    problem(client.patch(location, json={"name": "new"}), 428)


@pytest.mark.parametrize("state", ['"2"', 'W/"1"', '"0", "2"', "", '"'])
def test_a_change_that_is_based_on_another_state_is_rejected(
    client: FlaskClient, session: Session, state: str
) -> None:
    location = create(client).headers["Location"]

    problem(client.patch(location, json={"name": "new"}, headers={"If-Match": state}), 412)

    assert session.query(Probe).one().name == "a name"


@pytest.mark.parametrize("state", ['"1"', '"0", "1"', "*"])
def test_a_change_that_is_based_on_this_state_is_done(client: FlaskClient, state: str) -> None:
    location = create(client).headers["Location"]

    response = client.patch(location, json={"name": "new"}, headers={"If-Match": state})

    assert response.status_code == 200


def test_what_is_not_there_is_a_problem(client: FlaskClient) -> None:
    problem(client.patch(MISSING_URL, json={}, headers=ANY), 404)
    problem(client.patch(f"{URL}/nothing", json={}, headers=ANY), 404)


def test_one_of_two_concurrent_patches_wins(make_app: MakeApp) -> None:
    app = make_app(threads=2, pool_timeout_seconds=5.0)
    location = create(app.test_client()).headers["Location"]
    statuses: list[int] = []
    together = Barrier(2)

    def change(name: str) -> None:
        client = app.test_client()
        together.wait()
        response = client.patch(location, json={"name": name}, headers={"If-Match": '"1"'})
        if response.status_code == 412:
            problem(response, 412)
        statuses.append(response.status_code)

    threads = [Thread(target=change, args=[name]) for name in ("one", "other")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(statuses) == [200, 412]
    assert app.test_client().get(location).headers["ETag"] == '"2"'


@pytest.mark.parametrize("method", ["PATCH", "DELETE"])
@pytest.mark.parametrize("change", ["version = version + 1", None])
def test_a_change_between_read_and_write_is_seen(
    client: FlaskClient, method: str, change: str | None
) -> None:
    location = create(client).headers["Location"]
    table = Probe.__tablename__
    statement = f"UPDATE {table} SET {change}" if change else f"DELETE FROM {table}"

    def meddle(session: Session, *_arguments: object) -> None:
        session.connection().exec_driver_sql(statement)

    event.listen(Session, "before_flush", meddle, once=True)
    response = client.open(location, method=method, json={"name": "new"}, headers=ANY)

    problem(response, 412)
