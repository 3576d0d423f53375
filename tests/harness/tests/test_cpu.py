"""The CPU of a test holds what its programs used, whether they have ended or not."""

import subprocess
import sys

from tests.harness.cpu import cpu_seconds

WORK = """
import time
while time.process_time() < 0.2: pass
print("done", flush=True)
input()
"""


def test_children_count_while_they_run_and_after() -> None:
    before = cpu_seconds()
    with subprocess.Popen(
        [sys.executable, "-c", WORK], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "done\n"
        running = cpu_seconds()
        process.communicate("\n")
    ended = cpu_seconds()
    # The clock of a running process has ticks of 10 ms.
    assert 0.15 < running - before < 1
    assert 0.15 < ended - before < 1
