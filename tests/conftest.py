"""Options of the whole run, and the fixtures that every test of the template may use.

tests/proof.py has the fixtures that bake, tests/running.py those that serve, tests/report.py the
table at the end, tests/grouping.py what keeps tests of a group together, tests/memory.py the folder
for temporary files.
"""

pytest_plugins = ["tests.memory", "tests.proof", "tests.running", "tests.report", "tests.grouping"]
