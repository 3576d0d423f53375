"""The fixture of most session tests: an application with a view of the test's own."""

from collections.abc import Callable
from typing import Any, Protocol

import pytest
from flask import Flask
from flask.testing import FlaskClient

from ...support.applications import MakeApp

View = Callable[..., Any]


class Serve(Protocol):
    """Make a client of an application with a further view at `/view`; keywords are settings."""

    def __call__(
        self, view: View, prepare: Callable[[Flask], object] = ..., **changes: Any
    ) -> FlaskClient: ...


@pytest.fixture
def serve(make_app: MakeApp) -> Serve:
    """Make a client whose `/view` is this function; commits are real, the pool has one connection.

    `prepare` can change the application before its first request.
    """

    def serve(
        view: View, prepare: Callable[[Flask], object] = lambda _: None, **changes: Any
    ) -> FlaskClient:
        app = make_app(**changes)
        app.add_url_rule("/view", view_func=view, methods=["GET", "POST"])
        prepare(app)
        return app.test_client()

    return serve
