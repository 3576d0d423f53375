"""The caller in tests: it has all scopes and a token that is valid only in tests."""

from flask import Flask

from {{ cookiecutter.__package }}.auth.guard import (
    Principal,
    known_scopes,
    reject_token,
)

TOKEN = "token-of-the-tests"
CREDENTIAL = {"Authorization": f"Bearer {TOKEN}"}
"""Headers for requests of other clients than the kit's, which sends them by itself."""


def accept_test_token(app: Flask) -> None:
    """Accept the tests' token, and no other, instead of real ones."""
    app.extensions["authenticate"] = authenticate


def authenticate(token: str) -> Principal:
    """Return the caller of the tests; reject every other token."""
    if token != TOKEN:
        reject_token()
    return Principal("tests", known_scopes())
