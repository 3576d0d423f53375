import pytest
from flask.testing import FlaskClient

from ...support.api import MISSING_URL, URL, create, errors_of
from ...support.probe import ProbeFactory
from ...support.problems import problem
from ...support.queries import Queries


def test_a_read_shows_what_was_created_with_one_select(
    client: FlaskClient, queries: Queries
) -> None:
    created = create(client, available_at="2030-01-31T12:00:00+02:00")

    with queries(at_most=1):
        response = client.get(created.headers["Location"])

    assert response.status_code == 200
    assert response.content_type == "application/json"
    assert response.json == created.json
    assert response.headers["ETag"] == created.headers["ETag"]


def test_what_is_not_there_is_a_problem(client: FlaskClient) -> None:
    problem(client.get(MISSING_URL), 404)


@pytest.mark.parametrize("place", ["nothing", "%00", "%ff%fe", "a" * 3000, "..%2f", "1"])
def test_what_is_not_an_id_is_a_problem(client: FlaskClient, place: str) -> None:
    problem(client.get(f"{URL}/{place}"), 404)


def test_a_query_is_rejected(client: FlaskClient) -> None:
    row = ProbeFactory.create()

    document = problem(client.get(f"{URL}/{row.id}?verbose=1"), 422)

    assert errors_of(document) == {"verbose": "is unknown"}


@pytest.mark.parametrize("known", ['"1"', 'W/"1"', '"7", "1"', "*", '"7", W/"1"'])
def test_a_state_that_the_caller_has_is_not_sent_again(client: FlaskClient, known: str) -> None:
    location = create(client).headers["Location"]

    response = client.get(location, headers={"If-None-Match": known})

    assert response.status_code == 304
    assert response.data == b""
    assert response.headers["ETag"] == '"1"'
    assert "Content-Type" not in response.headers


@pytest.mark.parametrize("known", ['"2"', 'W/"2", "3"', '"', "", "\xff"])
def test_a_state_that_the_caller_has_not_is_sent(client: FlaskClient, known: str) -> None:
    location = create(client).headers["Location"]

    assert client.get(location, headers={"If-None-Match": known}).status_code == 200


def test_head_tells_the_same_without_the_body(client: FlaskClient) -> None:
    location = create(client).headers["Location"]

    read, head = client.get(location), client.head(location)

    assert (head.status_code, head.data) == (200, b"")
    assert head.headers["ETag"] == read.headers["ETag"]
    assert head.headers["Content-Length"] == str(len(read.data))


def test_options_lists_the_methods_whatever_the_query(client: FlaskClient) -> None:
    response = client.options(f"{MISSING_URL}?limit=1")

    assert response.status_code == 200
    assert response.allow == {"GET", "HEAD", "PATCH", "DELETE", "OPTIONS"}
