"""Processes that work side by side: `python -m tests.support.forks MODULE PROCESSES ARGUMENTS`.

They are forks of this one, which has imported the module before: that takes longer than most work.
"""

import sys
import time
from importlib import import_module
from multiprocessing import get_context

from .side_by_side import SECONDS


def main(module: str, processes: str, *arguments: str) -> int:
    """Run `main` of the module in each process; 0 if all ended well and in time."""
    work = import_module(module).main
    fork = get_context("fork")
    together = fork.Barrier(int(processes), timeout=SECONDS)
    running = [
        fork.Process(target=work, args=(together.wait, *arguments)) for _ in range(int(processes))
    ]
    for process in running:
        process.start()
    end = time.monotonic() + SECONDS
    for process in running:
        process.join(max(0, end - time.monotonic()))
        process.kill()
        process.join()
    return int(any(process.exitcode != 0 for process in running))


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
