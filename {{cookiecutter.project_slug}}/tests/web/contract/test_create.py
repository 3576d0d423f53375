from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from flask.testing import FlaskClient
from sqlalchemy import event
from sqlalchemy.orm import Session

from {{ cookiecutter.__package }}.database import db

from ...support.api import MISSING_URL, URL, create, errors_of, new_body
from ...support.applications import MakeApp
from ...support.probe import Probe, ProbeFactory
from ...support.problems import problem
from ...support.queries import Queries


def test_what_is_created_is_shown_and_stored(client: FlaskClient, session: Session) -> None:
    before = datetime.now(UTC)
    parent = ProbeFactory.create()

    response = create(
        client,
        name="Zoë 😀",
        price="7",
        status="active",
        available_at="2030-01-31T12:00:00.123456+02:00",
        parent_id=str(parent.id),
    )

    shown = response.json
    assert shown is not None
    assert response.content_type == "application/json"
    assert response.headers["Location"] == f"{URL}/{shown['id']}"
    assert response.headers["ETag"] == '"1"'
    assert UUID(shown["id"]).version == 7
    for timestamp in ("created_at", "updated_at"):
        assert shown[timestamp].endswith("Z")
        assert before <= datetime.fromisoformat(shown.pop(timestamp)) <= datetime.now(UTC)
    row = session.get_one(Probe, UUID(shown.pop("id")))
    assert shown == {
        "code": "A-1001",
        "name": "Zoë 😀",
        "price": "7.00",
        "status": "active",
        "available_at": "2030-01-31T10:00:00.123456Z",
        "parent_id": str(parent.id),
        "version": 1,
    }
    assert row.name == "Zoë 😀"
    assert row.available_at == datetime(2030, 1, 31, 10, 0, 0, 123456, UTC)


def test_what_is_left_out_has_a_default(client: FlaskClient) -> None:
    shown = create(client).json

    assert shown is not None
    assert (shown["status"], shown["available_at"], shown["parent_id"]) == ("draft", None, None)


def test_a_create_is_one_checkout_one_insert_and_one_commit(
    make_app: MakeApp, queries: Queries
) -> None:
    app = make_app()
    with app.app_context():
        engine = db.engine
    done: list[str] = []
    for name in ("checkout", "commit", "rollback"):
        event.listen(engine, name, lambda *_arguments, name=name: done.append(name))

    with queries() as statements:
        create(app.test_client())

    assert done == ["checkout", "commit"]
    assert [statement.split()[0] for statement in statements] == ["INSERT"]


def test_a_code_that_is_taken_is_a_conflict(client: FlaskClient, session: Session) -> None:
    create(client)

    problem(client.post(URL, json=new_body(name="another")), 409)

    assert [row.name for row in session.query(Probe)] == ["a name"]


@pytest.mark.parametrize("other", ["a-1001", "A-100I", "A-10011"])
def test_codes_are_compared_character_for_character(client: FlaskClient, other: str) -> None:
    create(client)

    create(client, code=other)


def test_a_parent_that_is_not_there_is_a_conflict(client: FlaskClient, session: Session) -> None:
    problem(client.post(URL, json=new_body(parent_id=MISSING_URL.rsplit("/", 1)[1])), 409)

    assert session.query(Probe).count() == 0


@pytest.mark.parametrize(
    ("member", "value"),
    [
        ("code", None),
        ("code", ""),
        ("code", "with space"),
        ("code", "a" * 65),
        ("code", "A-1\n"),
        ("name", 5),
        ("name", ""),
        ("name", "a" * 201),
        ("name", "a\x00b"),
        ("name", "\ud800"),
        ("name", float("nan")),
        ("status", "unknown"),
        ("status", ["draft"]),
        ("price", 12.5),
        ("price", "-1"),
        ("price", "1e5"),
        ("price", "1.234"),
        ("price", "NaN"),
        ("price", "007"),
        ("price", "1\n"),
        ("price", "\u0661"),
        ("price", "1" * 17),
        ("price", float("inf")),
        ("available_at", "2030-01-31T12:00:00"),
        ("available_at", "2030-01-31"),
        ("available_at", "2030-02-30T12:00:00Z"),
        ("available_at", "0001-01-01T00:00:00+23:59"),
        ("available_at", "tomorrow"),
        ("available_at", 1893456000),
        ("parent_id", "not-a-uuid"),
        ("parent_id", 5),
        ("unknown", "x"),
        ("~a/b c", "x"),
    ],
)
def test_a_member_that_does_not_fit_is_named(
    client: FlaskClient, session: Session, member: str, value: Any
) -> None:
    document = problem(client.post(URL, json=new_body(**{member: value})), 422)

    pointer = "#/~0a~1b%20c" if member == "~a/b c" else f"#/{member}"
    assert errors_of(document).keys() == {pointer}
    assert session.query(Probe).count() == 0


def test_a_number_beyond_any_use_is_named(client: FlaskClient) -> None:
    body = '{"code": "A", "name": "a", "price": 1' + 5000 * "0" + "}"

    document = problem(client.post(URL, data=body, content_type="application/json"), 422)

    assert errors_of(document).keys() == {"#/price"}


def test_all_faults_are_named_at_once(client: FlaskClient) -> None:
    body = {"name": "", "price": 3, "colour": "vermilion"}

    response = client.post(f"{URL}?fast=1", json=body, headers={"Idempotency-Key": "two words"})

    found = errors_of(problem(response, 422))
    assert found.keys() == {
        "fast",
        "Idempotency-Key",
        "#/code",
        "#/name",
        "#/price",
        "#/colour",
    }
    assert found["#/price"].startswith("should be a decimal in a string")
    assert "vermilion" not in str(found)


@pytest.mark.parametrize(
    "value", ["1000-01-01T00:00:00Z", "9999-12-31T23:59:59.999999Z", "2030-01-31t12:00:00.1z"]
)
def test_timestamps_come_back_as_they_are(client: FlaskClient, value: str) -> None:
    location = create(client, available_at=value).headers["Location"]

    shown = client.get(location).json
    assert shown is not None
    assert datetime.fromisoformat(shown["available_at"]) == datetime.fromisoformat(value.upper())


def test_the_largest_price_loses_no_digit(client: FlaskClient) -> None:
    location = create(client, price="9999999999999999.99").headers["Location"]

    shown = client.get(location).json
    assert shown is not None
    assert shown["price"] == "9999999999999999.99"
