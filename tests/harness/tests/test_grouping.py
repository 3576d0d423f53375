"""Tests of a group run in one process."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.harness.baked import clean_environment
from tests.harness.variants import ROOT

pytestmark = pytest.mark.slow

MODULE = """
import pytest

@pytest.mark.xdist_group("together")
@pytest.mark.parametrize("number", range(8))
def test(number):
    pass
"""


@pytest.fixture
def module(tmp_path: Path) -> Path:
    """A module whose tests are one group."""
    path = tmp_path / "test_group.py"
    path.write_text(MODULE, encoding="utf-8")
    return path


def run(module: Path, *options: str) -> str:
    """Run the module in two processes and return the output of pytest."""
    command = (sys.executable, "-m", "pytest", "-v", "-n", "2", "--dist", "loadgroup", *options)
    done = subprocess.run(
        [*command, "-c", "/dev/null", "--rootdir", str(module.parent), str(module)],
        env=clean_environment({"PYTHONPATH": str(ROOT)}),
        cwd=module.parent,
        capture_output=True,
        text=True,
        check=True,
    )
    assert "8 passed" in done.stdout
    return done.stdout


def test_a_group_runs_in_one_process(module: Path) -> None:
    printed = run(module, "-p", "tests.harness.grouping")
    assert len(set(re.findall(r"^\[(gw\d)\].*@together", printed, re.MULTILINE))) == 1


def test_xdist_still_scatters_groups(module: Path) -> None:
    """When this fails, remove `grouping.py`."""
    assert "@together" not in run(module)
