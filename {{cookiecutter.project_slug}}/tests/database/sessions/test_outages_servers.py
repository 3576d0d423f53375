"""A server that ends connections or restarts while the service runs."""

import time
from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from flask import Flask
from flask.testing import FlaskClient
from pydantic import SecretStr
from sqlalchemy import Engine, select, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from {{ cookiecutter.__package }}.database import db
from {{ cookiecutter.__package }}.database.hang_guard import PAUSE_SECONDS
from {{ cookiecutter.__package }}.settings import Settings

from ...support.api import URL, new_body
from ...support.applications import MakeApp, new_app
from ...support.databases import create_tables
from ...support.engine import connection_number, end_connection
from ...support.leaks import assert_nothing_leaked, engine_of, pool_of
from ...support.load import creating
from ...support.probe import Probe
from ...support.problems import problem
from ...support.relay import Relay
from ...support.restarts import RestartableServer

THREADS = 4
LIMIT_SECONDS = 1.0


# Idle connections


@pytest.fixture
def idle(make_app: MakeApp, committed_db: Engine) -> FlaskClient:
    """A client of an application whose pooled connections have all been ended by the server."""
    app = make_app(threads=THREADS)
    with ExitStack() as stack:
        opened = [stack.enter_context(engine_of(app).connect()) for _ in range(THREADS)]
        numbers = [connection_number(connection) for connection in opened]
    assert pool_of(app).checkedin() == THREADS
    for number in numbers:
        end_connection(number, committed_db)
    return app.test_client()


def test_reads_survive_idle_connections_that_the_server_ended(idle: FlaskClient) -> None:
    assert [idle.get(URL).status_code for _ in range(2 * THREADS)] == [200] * 2 * THREADS


def test_writes_survive_idle_connections_that_the_server_ended(idle: FlaskClient) -> None:
    bodies = [new_body(code=f"code-{number}") for number in range(2 * THREADS)]
    assert {idle.post(URL, json=body).status_code for body in bodies} == {201}


# A restart


@pytest.fixture
def app(restartable_server: RestartableServer, settings: Settings) -> Iterator[Flask]:
    """An application on a server of its own."""
    url = SecretStr(restartable_server.url.render_as_string(hide_password=False))
    changes = {"database_url": url, "threads": THREADS, "pool_timeout_seconds": 30.0}
    its_settings = settings.model_copy(update=changes)
    create_tables(its_settings)
    made = new_app(its_settings)
    yield made
    engine_of(made).dispose()


@pytest.mark.slow
def test_restart_under_load_gets_503_only_while_the_server_is_unreachable(
    app: Flask, restartable_server: RestartableServer
) -> None:
    """No row whose create got 201 is lost."""
    with creating(app, THREADS) as load:
        load.wait_for(201)
        stopping = time.monotonic()
        restartable_server.stop()
        load.wait_for(503, after=time.monotonic())
        restartable_server.start()
        restarted = time.monotonic()
        load.wait_for(201, after=restarted)

    assert {exchange.status for exchange in load.exchanges} == {201, 503}
    failed = [exchange for exchange in load.exchanges if exchange.status == 503]
    for exchange in failed:
        problem(exchange.response, 503)
        assert exchange.response.headers["Retry-After"] == "1"
    assert min(exchange.ended for exchange in failed) > stopping
    assert {exchange.status for exchange in load.started_after(restarted)} == {201}
    with Session(engine_of(app)) as session:
        assert load.created <= set(session.scalars(select(Probe.code)))
    assert_nothing_leaked(app)


@pytest.fixture
def relay(restartable_server: RestartableServer) -> Iterator[Relay]:
    """A relay to the server, which can hang."""
    assert restartable_server.url.port
    with Relay(restartable_server.url.port) as relay:
        yield relay


@pytest.fixture
def hurried_app(
    restartable_server: RestartableServer, relay: Relay, settings: Settings
) -> Iterator[Flask]:
    """An application with a short limit, which reaches its server by the relay."""
    url = restartable_server.url.set(port=relay.port).render_as_string(hide_password=False)
    changes = {"threads": THREADS, "statement_timeout_seconds": LIMIT_SECONDS}
    its_settings = settings.model_copy(update={"database_url": SecretStr(url), **changes})
    create_tables(its_settings)
    made = new_app(its_settings)
    yield made
    engine_of(made).dispose()


@pytest.mark.slow
def test_a_server_that_hangs_is_503_and_serves_again(hurried_app: Flask, relay: Relay) -> None:
    """Idle connections, new ones and probes end by limits on this side."""
    client = hurried_app.test_client()
    assert client.get(URL).status_code == 200

    relay.hang()
    for method, path in (("GET", URL), ("POST", URL), ("GET", "/readyz")):
        began = time.monotonic()
        body = new_body() if method == "POST" else None
        problem(client.open(path, method=method, json=body), 503)
        assert time.monotonic() - began < LIMIT_SECONDS + 5
    assert client.get("/livez").status_code == 200
    relay.go_on()

    time.sleep(PAUSE_SECONDS)
    assert client.get("/readyz").status_code == 200
    assert client.post(URL, json=new_body()).status_code == 201
    assert_nothing_leaked(hurried_app)


@pytest.mark.slow
def test_a_statement_ends_when_its_server_hangs(hurried_app: Flask, relay: Relay) -> None:
    with hurried_app.app_context():
        session = db.session()
        session.scalar(text("SELECT 1"))
        relay.hang()
        began = time.monotonic()
        with pytest.raises(DBAPIError) as ended:
            session.scalar(text("SELECT 2"))
        assert time.monotonic() - began < LIMIT_SECONDS + 5
        assert ended.value.connection_invalidated
        session.rollback()
    assert_nothing_leaked(hurried_app)


@pytest.mark.slow
def test_readyz_reports_an_unreachable_server(
    app: Flask, restartable_server: RestartableServer
) -> None:
    client = app.test_client()
    assert client.get("/readyz").status_code == 200
    restartable_server.stop()
    problem(client.get("/readyz"), 503)
    problem(client.get(URL), 503)
    assert client.get("/livez").status_code == 200
    restartable_server.start()
    assert client.get("/readyz").status_code == 200
