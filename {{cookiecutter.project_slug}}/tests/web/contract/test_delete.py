from threading import Barrier, Thread

import pytest
from flask.testing import FlaskClient
from sqlalchemy.orm import Session

from ...support.api import ANY, MISSING_URL, create, errors_of
from ...support.applications import MakeApp
from ...support.probe import Probe
from ...support.problems import problem


def test_what_is_deleted_is_gone(client: FlaskClient, session: Session) -> None:
    created = create(client)
    location = created.headers["Location"]

    response = client.delete(location, headers={"If-Match": created.headers["ETag"]})

    assert (response.status_code, response.data) == (204, b"")
    assert "Content-Type" not in response.headers
    assert session.query(Probe).count() == 0
    problem(client.get(location), 404)
    problem(client.delete(location, headers=ANY), 404)


def test_what_is_not_there_is_a_problem(client: FlaskClient) -> None:
    problem(client.delete(MISSING_URL, headers=ANY), 404)


def test_what_others_belong_to_is_a_conflict(client: FlaskClient, session: Session) -> None:
    location = create(client).headers["Location"]
    create(client, code="child", parent_id=location.rsplit("/", 1)[1])

    problem(client.delete(location, headers=ANY), 409)

    assert session.query(Probe).count() == 2


def test_a_delete_that_is_based_on_nothing_is_rejected(client: FlaskClient) -> None:
    problem(client.delete(create(client).headers["Location"]), 428)


@pytest.mark.parametrize("state", ['"2"', 'W/"1"', ""])
def test_a_delete_that_is_based_on_another_state_is_rejected(
    client: FlaskClient, session: Session, state: str
) -> None:
    location = create(client).headers["Location"]

    problem(client.delete(location, headers={"If-Match": state}), 412)

    assert session.query(Probe).count() == 1


def test_a_query_is_rejected(client: FlaskClient) -> None:
    document = problem(client.delete(f"{MISSING_URL}?force=1", headers=ANY), 422)

    assert errors_of(document) == {"force": "is unknown"}


def test_of_two_deletes_one_wins(make_app: MakeApp) -> None:
    app = make_app(threads=2, pool_timeout_seconds=5.0)
    location = create(app.test_client()).headers["Location"]
    statuses: list[int] = []
    together = Barrier(2)

    def remove() -> None:
        client = app.test_client()
        together.wait()
        statuses.append(client.delete(location, headers={"If-Match": '"1"'}).status_code)

    threads = [Thread(target=remove) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(statuses) in ([204, 404], [204, 412])
