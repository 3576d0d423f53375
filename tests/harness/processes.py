"""Servers that run until Ctrl-C, started as a shell does and stopped as a person does."""

import http.client
import os
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from .servers import HOST

SECONDS_TO_END = 10


@contextmanager
def until_ctrl_c(
    *command: str | Path, folder: Path, variables: Mapping[str, str], log: Path
) -> Iterator["subprocess.Popen[bytes]"]:
    """Run a command and stop it by Ctrl-C. No process may remain and no traceback be printed."""
    with log.open("wb") as output:
        process = subprocess.Popen(
            [str(part) for part in command],
            cwd=folder,
            env=variables,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        yield process
        os.killpg(process.pid, signal.SIGINT)
        process.wait(30)
        end = time.monotonic() + SECONDS_TO_END
        while is_running(process.pid):  # its children get the signal, too, and take their time
            assert time.monotonic() < end, "A process still runs after Ctrl-C."
            time.sleep(0.05)
    finally:
        if is_running(process.pid):
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    said = log.read_text(errors="replace")
    assert "Traceback" not in said, said


def is_running(group: int) -> bool:
    """Return whether a process of the group still runs."""
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


def wait_for_response(port: int, path: str, log: Path, seconds: float = 120) -> bytes:
    """Return the body of the first response of status 200 to a GET request on this port."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        connection = http.client.HTTPConnection(HOST, port, timeout=10)
        try:
            connection.request("GET", path)
            response = connection.getresponse()
            body = response.read()
        except OSError:
            time.sleep(0.1)
            continue
        finally:
            connection.close()
        assert response.status == 200, body
        return body
    raise AssertionError(f"No response:\n{log.read_text(errors='replace')[-4000:]}")
