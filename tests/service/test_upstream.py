"""Library behaviour that the service works around; when one of these fails, its cure can go."""

import subprocess

import pytest

from tests.harness.baked import clean_environment
from tests.harness.environments import Environment

OUTER_CONTEXT = """
from flask import Flask, g

app = Flask("x")
app.add_url_rule("/", view_func=lambda: g.get("mark", "its own"))
with app.app_context():
    g.mark = "the outer one"
    print(app.test_client().get("/").text)
"""

FAILING_TEARDOWN = """
from flask import Flask

called = []
app = Flask("x")
app.teardown_appcontext(lambda error: called.append("first"))

@app.teardown_appcontext
def fail(error):
    raise ArithmeticError

try:
    with app.app_context():
        pass
except BaseException:
    pass
print(called)
"""

AFTER_REQUEST = """
from flask import Flask

called = []
app = Flask("x")
app.add_url_rule("/", view_func=lambda: "")
app.after_request(lambda response: called.append("first") or response)

@app.after_request
def fail(response):
    raise ArithmeticError

app.test_client().get("/")
print(called)
"""


SPARSE_FILE = """
import os, tempfile
from prometheus_client.mmap_dict import MmapedDict

with tempfile.TemporaryDirectory() as folder:
    file = os.path.join(folder, "counter_1.db")
    MmapedDict(file)
    made = os.stat(file)
    print(made.st_blocks * 512 < made.st_size)
"""

COPIED_TABLE = """
from alembic.migration import MigrationContext
from alembic.operations import Operations
from sqlalchemy import create_engine

with create_engine("sqlite://").connect() as connection:
    connection.exec_driver_sql("CREATE TABLE rows (id INTEGER PRIMARY KEY AUTOINCREMENT)")
    connection.exec_driver_sql("CREATE TRIGGER t AFTER INSERT ON rows BEGIN SELECT 1; END")
    operations = Operations(MigrationContext.configure(connection))
    with operations.batch_alter_table("rows", recreate="always"):
        pass
    left = connection.exec_driver_sql("SELECT sql FROM sqlite_master WHERE tbl_name = 'rows'")
    print("TRIGGER" in str(left.all()), "AUTOINCREMENT" in str(left.all()))
"""

GENERATED_COLUMN = """
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Column, Computed, Integer, MetaData, Table, create_engine

metadata = MetaData()
two = Column("two", Integer, Computed("2"))
Table("rows", metadata, Column("id", Integer, primary_key=True), two)
with create_engine("sqlite://").connect() as connection:
    metadata.create_all(connection)
    options = {"compare_server_default": lambda *_: False}
    try:
        compare_metadata(MigrationContext.configure(connection, opts=options), metadata)
    except AttributeError as error:
        print(error)
"""


@pytest.mark.parametrize(
    ("program", "printed"),
    [
        pytest.param(OUTER_CONTEXT, "the outer one", id="SeparateContextMiddleware"),
        pytest.param(FAILING_TEARDOWN, "[]", id="RemoveSessionTeardown"),
        pytest.param(AFTER_REQUEST, "[]", id="ResponseHooksMiddleware"),
        pytest.param(SPARSE_FILE, "True", id="AllocatedFile"),
        pytest.param(COPIED_TABLE, "False False", id="CopyingImpl"),
        pytest.param(
            GENERATED_COLUMN,
            "'Computed' object has no attribute 'arg'",
            id="compare_server_defaults",
        ),
    ],
)
def test_a_library_still_needs_the_cure(
    environment: Environment, program: str, printed: str
) -> None:
    done = subprocess.run(
        [environment.python, "-c", program],
        env=clean_environment({}),
        capture_output=True,
        text=True,
        check=True,
    )

    assert done.stdout.strip() == printed
