"""Keeps tests that share a costly fixture in one process, as their mark `xdist_group` says.

pytest-xdist 3.8 writes a test's group into an attribute that pytest 9.2 does not read any longer
(https://github.com/pytest-dev/pytest-xdist/issues/1386), so that groups are scattered without a
word. This writes it where pytest reads it. tests/test_grouping.py tells when it can go.
"""

from collections.abc import Iterator

import pytest
from _pytest.nodeid import NodeId


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_collection_modifyitems(
    config: pytest.Config, items: list[pytest.Item]
) -> Iterator[None]:
    """Let the id of each test end with its group, once all marks are there."""
    yield
    if not config.getoption("loadgroup", default=False):
        return
    for item in items:
        groups = sorted({str(mark.args[0]) for mark in item.iter_markers("xdist_group")})
        if groups:
            item._id = NodeId.parse(f"{item.nodeid}@{'_'.join(groups)}")
