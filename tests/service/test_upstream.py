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


@pytest.mark.parametrize(
    ("program", "printed"),
    [
        pytest.param(OUTER_CONTEXT, "the outer one", id="SeparateContextMiddleware"),
        pytest.param(FAILING_TEARDOWN, "[]", id="RemoveSessionTeardown"),
        pytest.param(AFTER_REQUEST, "[]", id="ResponseHooksMiddleware"),
    ],
)
def test_flask_still_needs_the_cure(environment: Environment, program: str, printed: str) -> None:
    done = subprocess.run(
        [environment.python, "-c", program],
        env=clean_environment({}),
        capture_output=True,
        text=True,
        check=True,
    )

    assert done.stdout.strip() == printed
