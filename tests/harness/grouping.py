"""Workaround: keeps the tests of an `xdist_group` in one process.

pytest-xdist 3.8 writes the group of a test into an attribute that pytest 9.2 no longer reads
(https://github.com/pytest-dev/pytest-xdist/issues/1386), so groups are silently scattered. This
plugin writes it where pytest reads it. A test in tests/harness/tests/test_grouping.py fails when
pytest-xdist does so itself; then remove this module.
"""

from collections.abc import Iterator

import pytest
from _pytest.nodeid import NodeId


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_collection_modifyitems(
    config: pytest.Config, items: list[pytest.Item]
) -> Iterator[None]:
    """Append the group of each test to its id, once all marks are set."""
    yield
    if not config.getoption("loadgroup", default=False):
        return
    for item in items:
        groups = sorted({str(mark.args[0]) for mark in item.iter_markers("xdist_group")})
        if groups:
            item._id = NodeId.parse(f"{item.nodeid}@{'_'.join(groups)}")
