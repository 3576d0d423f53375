"""A constraint that PostgreSQL checks only at the commit."""

from sqlalchemy import text

from {{ cookiecutter.__package }}.database import db

from ...support.leaks import assert_nothing_leaked
from ...support.problems import problem
from .conftest import Serve

DEFERRED = """
CREATE TEMPORARY TABLE deferred (id int UNIQUE DEFERRABLE INITIALLY DEFERRED) ON COMMIT DROP
"""


def violate_at_commit() -> str:
    db.session.execute(text(DEFERRED))
    db.session.execute(text("INSERT INTO deferred VALUES (1), (1)"))
    db.session.commit()
    return "done"


def test_constraint_violated_at_commit_gets_409(serve: Serve) -> None:
    client = serve(violate_at_commit)
    problem(client.post("/view"), 409)
    assert_nothing_leaked(client.application)
