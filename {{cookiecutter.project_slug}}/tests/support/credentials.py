"""Who the tests are: a caller with all scopes, known by a token that is good only here."""

from flask import Flask

from {{ cookiecutter.__package }}.auth.guard import Principal, known_scopes, reject_token

TOKEN = "token-of-the-tests"
CREDENTIAL = {"Authorization": f"Bearer {TOKEN}"}
"""For requests that are not sent by the kit's client, which sends it by itself."""


def accept_test_token(app: Flask) -> None:
    """Take the tests' token, and no other, in place of real ones."""
    app.extensions["authenticate"] = authenticate


def authenticate(token: str) -> Principal:
    """The caller whose token it is."""
    if token != TOKEN:
        reject_token()
    return Principal("tests", known_scopes())
