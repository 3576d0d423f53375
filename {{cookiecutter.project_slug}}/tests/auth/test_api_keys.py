import hashlib
import hmac
import json
{% if cookiecutter.database == "sqlite" %}
import sqlite3
{% endif %}
from collections.abc import Callable
{% if cookiecutter.database == "sqlite" %}
from contextlib import closing
{% endif %}
from datetime import UTC, datetime, timedelta
from threading import Barrier, Thread

import pytest
import time_machine
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from {{ cookiecutter.__package }}.auth import api_keys
from {{ cookiecutter.__package }}.auth.api_keys import (
    ApiKey,
    create_key,
    revoke_key,
    rotate_key,
)

from ..support.api import URL, new_body
from ..support.applications import MakeApp
{% if cookiecutter.database == "sqlite" %}
from ..support.leaks import engine_of
{% endif %}
from ..support.problems import problem
from ..support.queries import Queries

RESOURCE = URL.rsplit("/", 1)[1]
SCOPES = [f"{RESOURCE}:read", f"{RESOURCE}:write"]
START = datetime(2030, 1, 1, tzinfo=UTC)

Call = Callable[..., int]


@pytest.fixture(autouse=True)
def _real_keys(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(app.extensions, "authenticate", api_keys.authenticate)


@pytest.fixture
def key(session: Session) -> str:
    """A key with all scopes that does not expire."""
    return create_key(session, "the tests", SCOPES)


@pytest.fixture
def call(client: FlaskClient) -> Call:
    """Request a list with a token and return the status."""

    def call(token: str) -> int:
        response = client.get(URL, headers={"Authorization": f"Bearer {token}"})
        if response.status_code != 200:
            problem(response, response.status_code)
            assert "WWW-Authenticate" in response.headers
        return response.status_code

    return call


def stored(session: Session, key: str) -> ApiKey:
    session.flush()
    session.expire_all()
    return session.scalars(select(ApiKey).where(ApiKey.prefix == key.partition(".")[0])).one()


def test_a_valid_key_is_accepted(call: Call, key: str) -> None:
    assert call(key) == 200


def test_only_the_digest_of_the_secret_is_stored(session: Session, key: str) -> None:
    prefix, _, secret = key.partition(".")
    row = stored(session, key)

    assert len(secret) == 43
    assert row.prefix == prefix
    assert row.digest == hashlib.sha256(secret.encode()).hexdigest()
    values = [str(getattr(row, attribute.key)) for attribute in ApiKey.__mapper__.column_attrs]
    assert len(values) == len(ApiKey.__table__.columns)
    assert not any(secret in value for value in values)


def test_each_key_is_unique(session: Session) -> None:
    keys = {create_key(session, "the same", SCOPES) for _ in range(20)}

    assert len({part for key in keys for part in key.split(".")}) == 40


def test_a_key_allows_only_its_scopes(client: FlaskClient, session: Session) -> None:
    key = create_key(session, "a reader", [f"{RESOURCE}:read", f"{RESOURCE}:read"])
    headers = {"Authorization": f"Bearer {key}"}

    assert stored(session, key).scopes == f"{RESOURCE}:read"
    assert client.get(URL, headers=headers).status_code == 200
    problem(client.post(URL, json=new_body(), headers=headers), 403)


def malformed_keys() -> list[str]:
    prefix, secret = "key_00000000", "A" * 43
    return [
        "x",
        ".",
        prefix,
        f"{prefix}.",
        f".{secret}",
        f"{prefix}.{secret}A",
        f"{prefix}.{secret[1:]}",
        f"{prefix}.{secret[1:]}é",
        f"{prefix}.{secret[2:]}é",
        f"{prefix.upper()}.{secret}",
        f"key_0000000\u0664.{secret}",
        f"{prefix}\0.{secret}",
        "\xff" * 64,
        "é" * 10_000,
    ]


@pytest.mark.parametrize("token", malformed_keys(), ids=range(len(malformed_keys())))
def test_a_malformed_key_is_rejected_without_a_query(
    call: Call, queries: Queries, token: str
) -> None:
    with queries(at_most=0):
        assert call(token) == 401


def test_an_unknown_prefix_is_rejected(call: Call, key: str) -> None:
    assert call(f"key_00000000.{key.partition('.')[2]}") == 401


def test_a_wrong_secret_is_rejected(call: Call, session: Session, key: str) -> None:
    other = create_key(session, "another", SCOPES)
    prefix = key.partition(".")[0]

    assert call(f"{prefix}.{other.partition('.')[2]}") == 401
    assert call(f"{prefix}.{'A' * 43}") == 401


def test_the_digest_is_not_accepted_as_a_key(call: Call, session: Session, key: str) -> None:
    row = stored(session, key)

    assert call(f"{row.prefix}.{row.digest}") == 401
    assert call(f"{row.prefix}.{row.digest[:43]}") == 401


def test_digests_are_compared_in_constant_time_for_every_invalid_key(
    call: Call, session: Session, key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    compared: list[bool] = []
    compare = hmac.compare_digest

    def record(first: str, second: str) -> bool:
        compared.append(len(first) == len(second) == 64)
        return compare(first, second)

    monkeypatch.setattr(hmac, "compare_digest", record)
    prefix, _, secret = key.partition(".")
    expired = create_key(session, "expired", SCOPES, timedelta(microseconds=1))
    revoked = create_key(session, "revoked", SCOPES)
    assert revoke_key(session, revoked.partition(".")[0])

    invalid = [f"key_00000000.{secret}", f"{prefix}.{'A' * 43}", expired, revoked]
    assert [call(token) for token in invalid] == [401] * 4
    assert call(key) == 200
    assert compared == [True] * 5


def test_an_expired_key_is_rejected(call: Call, session: Session) -> None:
    with time_machine.travel(START, tick=False):
        key = create_key(session, "for a day", SCOPES, timedelta(days=1))
        assert call(key) == 200
    with time_machine.travel(START + timedelta(days=1, microseconds=-1), tick=False):
        assert call(key) == 200
    with time_machine.travel(START + timedelta(days=1), tick=False):
        assert call(key) == 401


def test_a_revoked_key_is_rejected(call: Call, session: Session, key: str) -> None:
    assert call(key) == 200
    assert revoke_key(session, key.partition(".")[0])

    assert call(key) == 401


def test_a_key_can_be_revoked_only_once(session: Session, key: str) -> None:
    prefix = key.partition(".")[0]

    assert revoke_key(session, prefix)
    first = stored(session, key).revoked_at
    assert not revoke_key(session, prefix)
    assert stored(session, key).revoked_at == first
    assert not revoke_key(session, "key_00000000")


def test_the_caller_is_the_owner_whichever_key_is_used(app: Flask, session: Session) -> None:
    first = create_key(session, "billing", SCOPES)
    session.flush()
    second = rotate_key(session, first.partition(".")[0])
    assert second is not None
    other = create_key(session, "shipping", SCOPES)
    session.commit()

    with app.test_request_context():
        callers = [api_keys.authenticate(key) for key in (first, second, other)]

    assert [caller.id for caller in callers] == ["billing", "billing", "shipping"]
    assert callers[1].scopes == set(SCOPES)


def test_what_was_done_with_the_old_key_belongs_to_the_caller_with_the_new_one(
    client: FlaskClient, session: Session
) -> None:
    """An Idempotency-Key belongs to its caller, as rows do that store `g.principal.id`."""

    def create(key: str, code: str) -> str:
        headers = {"Authorization": f"Bearer {key}", "Idempotency-Key": "key-1"}
        response = client.post(URL, json=new_body(code=code), headers=headers)
        assert response.status_code == 201
        return str(response.get_json()["id"])

    old = create_key(session, "billing", SCOPES)
    other = create_key(session, "shipping", SCOPES)
    created = create(old, "A-1")
    new = rotate_key(session, old.partition(".")[0])
    assert new is not None
    assert revoke_key(session, old.partition(".")[0])

    assert create(new, "A-1") == created
    assert create(other, "A-2") != created


def test_a_rotated_key_has_the_lifetime_of_the_old_one(session: Session) -> None:
    with time_machine.travel(START, tick=False):
        old = create_key(session, "billing", SCOPES, timedelta(days=30))
        session.flush()
    with time_machine.travel(START + timedelta(days=20), tick=False):
        new = rotate_key(session, old.partition(".")[0])

    assert new is not None
    assert stored(session, new).expires_at == START + timedelta(days=50)
    assert stored(session, old).expires_at == START + timedelta(days=30)


def test_a_revoked_key_cannot_be_rotated(session: Session, key: str) -> None:
    prefix = key.partition(".")[0]
    session.flush()
    assert revoke_key(session, prefix)

    assert rotate_key(session, prefix) is None
    assert rotate_key(session, "key_00000000") is None


def test_the_log_line_names_the_prefix_and_never_the_key(
    call: Call, session: Session, key: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Also of a key that is not valid any more; but not one that somebody only guessed."""
    prefix, _, secret = key.partition(".")
    statuses = [call(key), call(f"{prefix}.{'A' * 43}")]
    revoke_key(session, prefix)
    statuses.append(call(key))

    logged = capsys.readouterr().err
    lines = [json.loads(line) for line in logged.splitlines()]
    assert statuses == [200, 401, 401]
    assert [line.get("caller") for line in lines] == [prefix, None, prefix]
    assert secret not in logged


def test_the_last_use_is_recorded_at_most_hourly(
    call: Call, session: Session, key: str, queries: Queries
) -> None:
    def statements() -> list[str]:
        with queries() as seen:
            assert call(key) == 200
        return [statement.split()[0] for statement in seen]

    session.commit()
    with time_machine.travel(START, tick=False):
        assert statements() == ["SELECT", "UPDATE", "SELECT"]
    within_the_hour = START + timedelta(minutes=59, seconds=59)
    with time_machine.travel(within_the_hour, tick=False):
        assert statements() == ["SELECT", "SELECT"]
        assert stored(session, key).last_used_at == START
    with time_machine.travel(START + timedelta(hours=1), tick=False):
        assert statements() == ["SELECT", "UPDATE", "SELECT"]
        assert stored(session, key).last_used_at == START + timedelta(hours=1)


def test_a_rejected_key_is_not_recorded_as_used(call: Call, session: Session, key: str) -> None:
    revoke_key(session, key.partition(".")[0])

    assert call(key) == 401
    assert stored(session, key).last_used_at is None


def test_authentication_releases_its_connection_before_the_view(
    make_app: MakeApp, committed_db: Engine
) -> None:
    """The transaction of the lookup has ended, whether or not it recorded the use of the key."""
    service = make_app()
    service.extensions["authenticate"] = api_keys.authenticate
    checked_out: list[int] = []
    pool = service.extensions["database"].engine.pool

    def view() -> str:
        checked_out.append(pool.checkedout())
        return "done"

    service.add_url_rule("/api/pool", view_func=view, methods=["POST"])
    with Session(committed_db) as session:
        key = create_key(session, "a writer", ["api:write"])
        session.commit()

    client, headers = service.test_client(), {"Authorization": f"Bearer {key}"}
    assert [client.post("/api/pool", headers=headers).status_code for _ in range(2)] == [200, 200]
    assert checked_out == [0, 0]


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_concurrent_first_uses_all_succeed(
    make_app: MakeApp, committed_db: Engine, method: str
) -> None:
    service = make_app(threads=8, pool_timeout_seconds=10.0)
    service.extensions["authenticate"] = api_keys.authenticate
    with Session(committed_db) as session:
        keys = [create_key(session, "a caller", SCOPES) for _ in range(4)]
        session.commit()
    barrier = Barrier(8)
    statuses: list[int] = []

    def request(number: int) -> None:
        client = service.test_client()
        headers = {"Authorization": f"Bearer {keys[number % 4]}"}
        barrier.wait()
        for index in range(5):
            body = new_body(code=f"{number}-{index}") if method == "POST" else None
            response = client.open(URL, method=method, json=body, headers=headers)
            statuses.append(response.status_code)

    threads = [Thread(target=request, args=[number]) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert statuses == [200 if method == "GET" else 201] * 40
{% if cookiecutter.database == "sqlite" %}


def test_an_unknown_key_does_not_wait_for_the_write_lock(make_app: MakeApp) -> None:
    app = make_app(statement_timeout_seconds=1.0)
    app.extensions["authenticate"] = api_keys.authenticate
    other = sqlite3.connect(str(engine_of(app).url.database), isolation_level=None)
    with closing(other):
        other.execute("BEGIN IMMEDIATE")
        headers = {"Authorization": f"Bearer key_00000000.{'x' * 43}"}
        response = app.test_client().post(URL, json=new_body(), headers=headers)

    problem(response, 401)
{% endif %}
