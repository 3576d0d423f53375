"""The private server of the tests: found on the machine, and never left running."""

import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from dev import server_postgresql
from dev.private_server import NoServerError, can_use

START_AND_WAIT = """
import time
from dev.server_postgresql import start_temporary

server, url = start_temporary()
print(url.query["host"], flush=True)
time.sleep(60)
"""
SECONDS_TO_STOP = 60


if sys.version_info < (3, 15):  # as in pyproject.toml: the package has no wheel for 3.15

    @pytest.mark.slow
    @pytest.mark.parametrize("usable", [can_use, lambda _path, _account: False])
    def test_private_server_falls_back_to_the_python_package(
        monkeypatch: pytest.MonkeyPatch, usable: Callable[[Path, str | None], bool]
    ) -> None:
        monkeypatch.setattr(server_postgresql, "PROGRAM_FOLDERS", ())
        monkeypatch.setattr(server_postgresql, "which", lambda _program: None)
        monkeypatch.setattr(server_postgresql, "can_use", usable)

        server, url = server_postgresql.start_temporary()

        assert server_postgresql.accepts_connections(url)
        server.stop()
        assert not server_postgresql.accepts_connections(url)
        assert not Path(str(url.query["host"])).exists()


def test_error_without_a_server_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server_postgresql, "PROGRAM_FOLDERS", ())
    monkeypatch.setattr(server_postgresql, "PACKAGE", "no_such_package")
    monkeypatch.setattr(server_postgresql, "which", lambda _program: None)
    monkeypatch.setattr(server_postgresql, "docker_is_available", lambda: False)

    with pytest.raises(NoServerError, match="install it"):
        server_postgresql.start_temporary()


@pytest.mark.slow
def test_private_server_stops_with_the_program_that_started_it() -> None:
    program = subprocess.Popen(
        [sys.executable, "-c", START_AND_WAIT], stdout=subprocess.PIPE, text=True
    )
    assert program.stdout is not None
    folder = Path(program.stdout.readline().strip())
    assert folder.is_dir()

    program.send_signal(signal.SIGKILL)
    program.communicate()

    end = time.monotonic() + SECONDS_TO_STOP
    while folder.exists():
        assert time.monotonic() < end
        time.sleep(0.05)
