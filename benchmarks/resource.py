"""CPU of `make resource`: from the command to a further resource that is written and checked."""

import resource
import subprocess
import sys

from benchmarks.projects import COMMAND_SECONDS, Project, baked
from benchmarks.report import Row, Samples, Table

BOUND = 6.0
FIELDS = (
    "number:string:40:unique total:decimal:12:2:min=0:index status:enum:draft:paid item:ref:items"
    " note:text:optional"
)
COLD = "the first resource, without a cache of mypy"
WARM = "a further resource, without its tests"
TESTED = "a further resource, with its tests"

# The command, whose tests pass at once.
WITHOUT_TESTS = """
import sys
from dev.resource import __main__ as command

command._test = lambda *_: ("not run", "")
sys.exit(command.main("resource"))
"""
QUICK = f"from dev.resource import __main__ as c; c._check = lambda *_: None\n{WITHOUT_TESTS}"


def add(project: Project, number: int, *program: str) -> float:
    """Add a resource to the project and return the CPU seconds of all programs that do it."""
    before = _children_seconds()
    subprocess.run(
        [sys.executable, *program],
        cwd=project.path,
        env=project.environment(RESOURCE_NAME=f"order{number}", RESOURCE_FIELDS=FIELDS),
        check=True,
        timeout=COMMAND_SECONDS,
        stdout=subprocess.DEVNULL,
    )
    return _children_seconds() - before


def _children_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def table(*, rounds: int = 5, program: str = WITHOUT_TESTS) -> Table:
    """Return the CPU as a table; the figure is the median of all rounds."""
    samples = Samples()
    with baked("sqlite") as project:
        samples.add(COLD, add(project, 0, "-c", program))
        for number in range(1, 2 * rounds, 2):
            samples.add(WARM, add(project, number, "-c", program))
            if program == WITHOUT_TESTS:
                samples.add(TESTED, add(project, number + 1, "-m", "dev.resource"))
    rows = [
        Row(name, samples.median(name), bound, unit="s")
        for name, bound in ((WARM, BOUND), (TESTED, None), (COLD, None))
        if name in samples.of
    ]
    return Table("`make resource`, sqlite", (), rows, "CPU")
