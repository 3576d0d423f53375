"""The targets of the Makefile that check the template itself work."""

import subprocess

import pytest

from tests.harness.baked import clean_environment
from tests.harness.variants import ROOT

COLLECT = ".venv/bin/python -m pytest --collect-only --quiet"


def make(*arguments: str) -> "subprocess.CompletedProcess[str]":
    """Run make in the repository."""
    return subprocess.run(
        ["make", *arguments],
        cwd=ROOT,
        env=clean_environment({}),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.slow
def test_the_code_of_the_template_is_formatted_linted_and_typed() -> None:
    """All of `make check` except its tests, which are a part of every run."""
    done = make("check", "TESTS=:")
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.slow
def test_the_quick_tests_are_a_part_of_all() -> None:
    quick = make("test-fast", f"TESTS={COLLECT}")
    assert quick.returncode == 0, quick.stdout + quick.stderr
    assert "tests/project/test_installation.py" not in quick.stdout
    assert "tests/generation/test_prompts.py" in quick.stdout
