"""`make run` stops its processes. tests/project/test_installation.py shows that it serves."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable

import pytest

from tests.harness.baked import Bake, clean_environment
from tests.harness.environments import Environment

pytestmark = pytest.mark.slow

# A stand-in for `flask`, which takes some time to exit after Ctrl-C.
SERVER = f"""\
#!{sys.executable}
import signal, sys, time

def end(*_):
    time.sleep(1)
    sys.exit("ended by itself")

signal.signal(signal.SIGINT, end)
signal.signal(signal.SIGTERM, lambda *_: sys.exit("was stopped by TERM"))
print("serves", flush=True)
time.sleep(60)
"""

RUN = """
import signal, sys
from dev import run

signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
sys.executable = sys.argv[1]
try:
    run.flask("run")
except KeyboardInterrupt:
    print("interrupted")
"""


@pytest.mark.parametrize(
    ("kill", "number", "said"),
    [
        pytest.param(os.killpg, signal.SIGINT, "ended by itself\ninterrupted\n", id="Ctrl-C"),
        pytest.param(os.kill, signal.SIGTERM, "was stopped by TERM\n", id="TERM"),
    ],
)
def test_a_server_exits_by_itself_or_is_stopped(
    bake: Bake,
    environment: Environment,
    kill: Callable[[int, int], None],
    number: signal.Signals,
    said: str,
) -> None:
    project = bake()
    server = project.path / "server"
    server.write_text(SERVER, encoding="utf-8")
    server.chmod(0o755)
    with subprocess.Popen(
        [environment.python, "-c", RUN, server],
        cwd=project.path,
        env=clean_environment(environment.variables),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "serves\n"
        kill(process.pid, number)
        assert process.stdout.read() == said
