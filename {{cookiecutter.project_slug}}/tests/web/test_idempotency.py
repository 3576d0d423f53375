import json
from datetime import timedelta
from threading import Barrier, Thread
from typing import Any

import pytest
import time_machine
from flask import Flask, Response, g
from flask.testing import FlaskClient
from sqlalchemy import event, insert, select
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session
from werkzeug.test import TestResponse

from {{ cookiecutter.__package }}.clock import utc_now
from {{ cookiecutter.__package }}.web import idempotency
from {{ cookiecutter.__package }}.web.idempotency import (
    IdempotencyKey,
    purge_expired_keys,
)
from {{ cookiecutter.__package }}.web.responses import json_response

from ..support.api import URL, errors_of, new_body
from ..support.applications import MakeApp
from ..support.probe import Probe, routes
from ..support.problems import problem
from ..support.queries import Queries

START = "2030-01-01T00:00:00Z"
WITHIN_A_DAY = "2030-01-01T23:59:59Z"
A_DAY = "2030-01-02T00:00:00Z"
AFTER_A_DAY = "2030-01-02T00:00:01Z"


def send(client: FlaskClient, key: str = "key-1", **changes: Any) -> TestResponse:
    return client.post(URL, json=new_body(**changes), headers={"Idempotency-Key": key})


def content_of(response: TestResponse) -> tuple[object, ...]:
    """Return what a replay must repeat: status, body and these headers."""
    headers = {name: response.headers[name] for name in ("Content-Type", "ETag", "Location")}
    return response.status_code, response.data, headers


def test_the_first_response_is_replayed(client: FlaskClient, session: Session) -> None:
    first, again = send(client, name="Zoë 😀"), send(client, name="Zoë 😀")

    assert first.status_code == 201
    assert content_of(again) == content_of(first)
    assert first.headers["X-Request-ID"] != again.headers["X-Request-ID"]
    assert session.query(Probe).count() == 1


def test_a_large_response_is_replayed(
    client: FlaskClient, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    def large_response(*arguments: Any) -> Response:
        response = json_response(*arguments)
        response.set_data(response.get_data() + b" " * 200_000)
        return response

    monkeypatch.setattr(routes, "json_response", large_response)

    first, again = send(client), send(client)

    assert first.status_code == 201
    assert len(first.data) > 200_000
    assert content_of(again) == content_of(first)
    assert session.query(Probe).count() == 1


def test_the_order_of_members_does_not_matter(client: FlaskClient) -> None:
    def send_in_order(body: dict[str, Any]) -> TestResponse:
        return client.post(  # with `json` the client would sort them
            URL,
            data=json.dumps(body),
            content_type="application/json",
            headers={"Idempotency-Key": "key-1"},
        )

    first = send_in_order(new_body())
    again = send_in_order(dict(reversed(new_body().items())))

    assert first.status_code == 201
    assert content_of(again) == content_of(first)


def test_a_different_body_is_rejected(client: FlaskClient, session: Session) -> None:
    send(client)

    document = problem(send(client, code="B-2"), 422)

    assert errors_of(document) == {"Idempotency-Key": "was used with another body"}
    assert session.query(Probe).count() == 1


def test_a_different_key_is_a_different_request(client: FlaskClient) -> None:
    send(client)

    problem(send(client, key="key-2"), 409)
    assert send(client, key="KEY-1", code="B-2").status_code == 201


def test_a_stored_response_survives_a_restart(make_app: MakeApp) -> None:
    first = send(make_app().test_client())

    again = send(make_app().test_client())

    assert content_of(again) == content_of(first)


def test_a_failed_request_stores_no_key(client: FlaskClient, session: Session) -> None:
    problem(send(client, price="free"), 422)
    problem(send(client, parent_id="00000000-0000-7000-8000-000000000000"), 409)
    assert session.query(IdempotencyKey).count() == 0

    assert send(client).status_code == 201


def test_a_replay_takes_one_statement(client: FlaskClient, queries: Queries) -> None:
    send(client)

    with queries(at_most=1):
        assert send(client).status_code == 201


def test_a_key_is_kept_for_a_day(client: FlaskClient, session: Session) -> None:
    with time_machine.travel(START, tick=False):
        first = send(client)
    with time_machine.travel(A_DAY, tick=False):
        assert content_of(send(client)) == content_of(first)
    with time_machine.travel(AFTER_A_DAY, tick=False):
        second = send(client, code="B-2")
        assert second.status_code == 201
        assert content_of(send(client, code="B-2")) == content_of(second)

    assert session.query(IdempotencyKey).count() == 1


def test_expired_keys_are_purged(client: FlaskClient, session: Session) -> None:
    with time_machine.travel(START, tick=False):
        send(client)
        send(client, key="key-2", code="B-2")
    with time_machine.travel(WITHIN_A_DAY, tick=False):
        send(client, key="key-3", code="C-3")
    with time_machine.travel(A_DAY, tick=False):
        assert purge_expired_keys(session) == 0
    with time_machine.travel(AFTER_A_DAY, tick=False):
        assert purge_expired_keys(session) == 2

    assert session.query(IdempotencyKey).count() == 1
    assert session.query(Probe).count() == 3


def test_many_expired_keys_are_purged_in_several_commits(session: Session) -> None:
    old = utc_now() - idempotency.RETENTION - timedelta(seconds=1)
    keys = [{"digest": f"{number:064}", "created_at": old} for number in range(2500)]
    session.execute(insert(IdempotencyKey), [{**key, "body_digest": ""} for key in keys])
    session.add(IdempotencyKey(digest="new", body_digest=""))
    session.commit()
    commits: list[Session] = []
    event.listen(session, "after_commit", commits.append)

    assert purge_expired_keys(session) == 2500

    assert len(commits) == 3
    assert session.scalars(select(IdempotencyKey.digest)).all() == ["new"]


@pytest.mark.parametrize("key", ["", "two words", "\xe9", "a" * 201, "\t"])
def test_an_invalid_key_is_rejected(client: FlaskClient, key: str) -> None:
    document = problem(send(client, key=key), 422)

    assert errors_of(document).keys() == {"Idempotency-Key"}


def test_a_request_that_overlaps_the_first_gets_its_response(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = send(client)
    monkeypatch.setattr(idempotency, "_find", lambda *_arguments: None)

    assert content_of(send(client)) == content_of(first)
    assert errors_of(problem(send(client, code="B-2"), 422)).keys() == {"Idempotency-Key"}


def test_a_claim_that_lost_a_race_is_made_again(
    client: FlaskClient, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Claims may end as deadlocks when the request that they wait for fails."""
    lost = [OperationalError("INSERT", None, Exception("deadlock"))]

    @event.listens_for(Session, "before_flush")
    def lose(*_: object) -> None:
        if lost:
            raise lost.pop()

    monkeypatch.setattr(idempotency, "is_retryable", lambda _error: True)
    try:
        assert send(client).status_code == 201
    finally:
        event.remove(Session, "before_flush", lose)
    assert not lost
    assert session.query(Probe).count() == 1


def test_a_claim_that_fails_for_another_reason_is_not_repeated(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    attempts: list[object] = []

    @event.listens_for(Session, "before_flush")
    def fail(*_: object) -> None:
        attempts.append("flush")
        raise OperationalError("INSERT", None, Exception("disk is full"))

    monkeypatch.setattr(idempotency, "is_retryable", lambda _error: False)
    try:
        with pytest.raises(OperationalError):
            send(client)
    finally:
        event.remove(Session, "before_flush", fail)
    assert len(attempts) == 1


def test_callers_do_not_share_keys(app: Flask, client: FlaskClient) -> None:
    caller = ["anna"]

    def set_principal() -> None:
        g.principal = caller[0]

    app.before_request_funcs.setdefault(None, []).append(set_principal)
    try:
        send(client)
        caller[0] = "bert"
        assert send(client, code="B-2").status_code == 201
    finally:
        app.before_request_funcs[None].remove(set_principal)


def test_one_of_several_concurrent_requests_is_processed(make_app: MakeApp) -> None:
    app = make_app(threads=4, pool_timeout_seconds=5.0)
    barrier = Barrier(4)
    responses: list[TestResponse] = []

    def request() -> None:
        client = app.test_client()
        barrier.wait()
        responses.append(send(client))

    threads = [Thread(target=request) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert responses[0].status_code == 201
    assert all(content_of(response) == content_of(responses[0]) for response in responses)
    listed = app.test_client().get(URL).json
    assert listed is not None
    assert len(listed["items"]) == 1
