"""The private broker: found on the machine, and never left running."""

import socket
from urllib.parse import urlsplit

import pytest

from dev import server_redis
from dev.private_server import NoServerError, free_port
from dev.server_redis import accepts_connections, development_broker, start_temporary


@pytest.mark.slow
def test_a_private_broker_runs_until_it_is_stopped() -> None:
    server, url = start_temporary()
    port = urlsplit(url).port or 0
    assert accepts_connections(port)

    server.stop()

    assert not accepts_connections(port)


@pytest.mark.slow
def test_the_development_broker_runs_while_it_is_used() -> None:
    port = free_port()
    with development_broker(f"redis://127.0.0.1:{port}/0"):
        assert accepts_connections(port)
        with development_broker(f"redis://localhost:{port}/0"):  # it runs already
            assert accepts_connections(port)
        assert accepts_connections(port)

    assert not accepts_connections(port)


def test_no_broker_is_started_for_another_machine() -> None:
    with development_broker("redis://:password@broker.example.com:6379/0"):
        pass


def test_a_silent_port_is_not_a_broker() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        assert not accepts_connections(silent.getsockname()[1])


def test_error_without_a_broker_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server_redis, "which", lambda _program, path: None)  # noqa: ARG005
    monkeypatch.setattr(server_redis, "docker_is_available", lambda: False)

    with pytest.raises(NoServerError, match="install it"):
        start_temporary()
    with (
        pytest.raises(SystemExit, match="install it"),
        development_broker(f"redis://127.0.0.1:{free_port()}/0"),
    ):
        pytest.fail("there is no broker")
