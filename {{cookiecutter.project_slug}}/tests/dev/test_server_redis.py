"""The private broker: found on the machine, and never left running."""

import socket
import time
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from redis import AuthenticationError, Redis

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
def test_the_development_broker_runs_while_it_is_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server_redis, "DATA", tmp_path / "redis")
    port = free_port()
    with development_broker(f"redis://:a-password@127.0.0.1:{port}/0"):
        assert accepts_connections(port)
        with development_broker(f"redis://localhost:{port}/0"):  # it runs already
            assert accepts_connections(port)
        assert accepts_connections(port)

    assert not accepts_connections(port)


@pytest.mark.slow
def test_what_a_broker_holds_survives_a_crash_and_needs_the_password() -> None:
    server, url = start_temporary(stop_signal="KILL")
    try:
        with Redis.from_url(url) as client:
            client.set("a-key", "a-value")
            time.sleep(1.5)  # it is written to disk each second
            server.pause()
            server.start()
            server.wait_until(lambda: accepts_connections(urlsplit(url).port or 0))
            assert client.get("a-key") == b"a-value"
            assert client.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}
        with (
            Redis.from_url(url.replace(server_redis.PASSWORD, "wrong")) as stranger,
            pytest.raises(AuthenticationError),
        ):
            stranger.get("a-key")
    finally:
        server.stop()


@pytest.mark.parametrize(
    "url", ["redis://:password@broker.example.com:6379/0", "amqp://user:password@127.0.0.1:5672/"]
)
def test_no_broker_is_started_for_another_machine_or_rabbitmq(url: str) -> None:
    with development_broker(url):
        pass


def test_a_silent_port_is_not_a_broker() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        assert not accepts_connections(silent.getsockname()[1])


def test_error_without_a_broker_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server_redis, "which", lambda _program, path: None)  # noqa: ARG005
    monkeypatch.setattr(server_redis, "docker_is_available", lambda: False)

    with pytest.raises(NoServerError, match="install it"):
        start_temporary()
    monkeypatch.setattr(server_redis, "DATA", tmp_path)
    with (
        pytest.raises(SystemExit, match="install it"),
        development_broker(f"redis://127.0.0.1:{free_port()}/0"),
    ):
        pytest.fail("there is no broker")
