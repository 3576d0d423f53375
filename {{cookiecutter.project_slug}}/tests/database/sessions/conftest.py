"""What most tests of sessions start with: an application with a view of the test's own."""

from collections.abc import Callable
from typing import Any, Protocol

import pytest
from flask import Flask
from flask.testing import FlaskClient

from ...support.applications import MakeApp

View = Callable[..., Any]


class Serve(Protocol):
    """Makes a client of an application that has a further view at `/view`; takes settings too."""

    def __call__(
        self, view: View, prepare: Callable[[Flask], object] = ..., **changes: Any
    ) -> FlaskClient: ...


@pytest.fixture
def serve(make_app: MakeApp) -> Serve:
    """A client whose `/view` is the function given; commits are real, its pool has one connection.

    `prepare` may add more to the application before its first request.
    """

    def serve(
        view: View, prepare: Callable[[Flask], object] = lambda _: None, **changes: Any
    ) -> FlaskClient:
        app = make_app(**changes)
        app.add_url_rule("/view", view_func=view, methods=["GET", "POST"])
        prepare(app)
        return app.test_client()

    return serve
