"""The private server of the tests: found on the machine, and never left running."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from dev import server_mariadb
from dev.private_server import NoServerError

START_AND_WAIT = """
import time
from pathlib import Path
from dev.server_mariadb import start_temporary

server, url = start_temporary()
print(Path(url.query["unix_socket"]).parent, flush=True)
time.sleep(60)
"""
SECONDS_TO_STOP = 60


def test_error_without_a_server_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server_mariadb, "which", lambda _program, **_options: None)
    monkeypatch.setattr(server_mariadb, "docker_is_available", lambda: False)

    with pytest.raises(NoServerError, match="install it"):
        server_mariadb.start_temporary()


@pytest.mark.slow
def test_private_server_keeps_the_temporary_tables_of_other_servers(tmp_path: Path) -> None:
    """A starting server removes all temporary tables in its folder, so it needs its own."""
    table = tmp_path / "#sql-temptable-1-2-3.MAD"
    table.touch()
    tmp_path.chmod(0o777)

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TMPDIR", str(tmp_path))
        server, _ = server_mariadb.start_temporary()
    server.stop()

    assert table.exists()


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
