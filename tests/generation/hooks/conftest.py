"""Fixtures for the tests of the hooks."""

from pathlib import Path

import pytest

from tests.harness.minimal_template import write_minimal_template


@pytest.fixture
def template(tmp_path: Path) -> Path:
    """A small template with the hooks of this one, which tests may change."""
    root = tmp_path / "template"
    root.mkdir()
    return write_minimal_template(root)
