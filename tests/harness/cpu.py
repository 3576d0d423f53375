"""Measures the CPU that a test costs, its programs and servers included."""

import os
import resource
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")
PROCESSES = Path("/proc")


def cpu_seconds() -> float:
    """Return the CPU seconds of this process and of its children, ended or running.

    Children that run, such as a server of the whole run, are found on Linux only.
    """
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    ended = sum(each.ru_utime + each.ru_stime for each in used)
    return ended + _seconds_of_running(os.getpid())


def _seconds_of_running(parent: int) -> float:
    """Return the CPU seconds of the running children of a process, and of theirs."""
    try:
        lists = [path.read_text() for path in PROCESSES.glob(f"{parent}/task/*/children")]
    except OSError:
        return 0.0
    children = [int(word) for words in lists for word in words.split()]
    return sum(_seconds_of(child) + _seconds_of_running(child) for child in children)


def _seconds_of(process: int) -> float:
    """Return the CPU seconds of one process and of its children that ended."""
    try:
        after_name = (PROCESSES / f"{process}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0  # it has just ended, and is counted as an ended child
    return sum(map(int, after_name[11:15])) / TICKS
