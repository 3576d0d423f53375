"""The private server of the tests: found on the machine, and never left running."""

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from dev import server_mysql
from dev.private_server import NoServerError

START_AND_WAIT = """
import time
from dev.server_mysql import start_temporary

server, _ = start_temporary()
print(server.folder, flush=True)
time.sleep(60)
"""
SECONDS_TO_STOP = 60


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The only folder in which a server is looked for."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("MYSQLD", raising=False)
    monkeypatch.setattr(server_mysql, "PROGRAM_FOLDERS", ())
    server_mysql.program.cache_clear()
    yield tmp_path
    server_mysql.program.cache_clear()


def install(path: Path, version: str) -> Path:
    """Write a program that says this as its version."""
    path.write_text(f"#!/bin/sh\necho '{version}'\n")
    path.chmod(0o755)
    return path


@pytest.mark.usefixtures("folder")
def test_error_without_a_server_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server_mysql, "docker_is_available", lambda: False)

    with pytest.raises(NoServerError, match=r"install MySQL 8\.4 or newer"):
        server_mysql.start_temporary()


@pytest.mark.parametrize(
    ("version", "usable"),
    [
        ("/usr/sbin/mysqld  Ver 9.7.4-2 for Linux on x86_64 ((Debian))", True),
        ("/usr/sbin/mysqld  Ver 8.4.3 for Linux on x86_64 (MySQL Community Server - GPL)", True),
        ("/usr/sbin/mysqld  Ver 8.0.44-0ubuntu0.24.04.1 for Linux on x86_64 ((Ubuntu))", False),
        ("mysqld  Ver 11.8.9-Another-4 from Debian for debian-linux-gnu on x86_64", False),
        ("", False),
    ],
)
def test_a_program_of_another_engine_or_of_an_old_version_is_not_taken(
    folder: Path, version: str, *, usable: bool
) -> None:
    path = install(folder / "mysqld", version)

    assert server_mysql.program() == (str(path) if usable else None)


def test_the_program_that_the_variable_names_comes_first(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(folder / "mysqld", "Ver 9.7.4 for Linux")
    named = install(folder / "named", "Ver 8.4.9 for Linux")
    monkeypatch.setenv("MYSQLD", str(named))

    assert server_mysql.program() == str(named)


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
