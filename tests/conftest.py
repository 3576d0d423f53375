"""The plugins of the whole run: its options, and the fixtures that every test may use.

In tests/harness/: fixtures.py has the options and what generates projects, service_fixtures.py the
running services, report.py the table at the end, grouping.py what keeps the tests of a group in one
process, memory.py the folder for temporary files.
"""

pytest_plugins = [
    "tests.harness.memory",
    "tests.harness.fixtures",
    "tests.harness.service_fixtures",
    "tests.harness.report",
    "tests.harness.grouping",
]
