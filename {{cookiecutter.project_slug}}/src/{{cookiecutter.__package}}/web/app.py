"""The Flask application class: JSON and sessions as this service needs them, and its document."""

from collections.abc import Callable
from contextlib import nullcontext
from threading import Lock
from typing import Any, NoReturn
from urllib.parse import urlsplit

from flask import Flask, Request
from flask.json.provider import DefaultJSONProvider
from flask.sessions import SessionInterface
from flask_openapi import OpenAPI, Server
from werkzeug.routing import RequestRedirect

from ..base_settings import ServiceSettings
from .about import INFO
from .openapi import complete_document
from .problems import Problem
from .validation import validation_error_response

MAX_INTEGER_DIGITS = 400
"""A longer integer is infinite as a float too, and Python rejects it beyond 4300 digits."""

LARGE_TEXT = 65_536
"""A longer JSON text is read by one thread at a time: its values take many times its memory."""


class NullSessionInterface(SessionInterface):
    """No `flask.session`: this service uses no cookies, and opening one costs time per request."""

    def open_session(self, app: Flask, request: Request) -> None:
        """Open nothing."""


class BoundedJSONProvider(DefaultJSONProvider):
    """JSON in UTF-8 (RFC 8259), with integers of any length: 1 and 5000 zeros is read as 1e5000."""

    def __init__(self, app: Flask) -> None:
        super().__init__(app)
        self._large = Lock()

    def loads(self, s: str | bytes, **kwargs: Any) -> Any:
        """Return the value of a JSON text. Raises ValueError."""
        with self._large if len(s) > LARGE_TEXT else nullcontext():
            if isinstance(s, bytes):
                s = s.decode()  # the standard library would take UTF-16 and UTF-32 too
            return super().loads(s, parse_int=_bounded_integer, **kwargs)


def _bounded_integer(digits: str) -> int | float:
    return int(digits) if len(digits) <= MAX_INTEGER_DIGITS else float(digits)


class ApiFlask(OpenAPI):
    """The Flask application together with its API document."""

    def __init__(self, import_name: str, settings: ServiceSettings) -> None:
        super().__init__(
            import_name,
            info=INFO,
            servers=[Server(url="/")],  # of the host that serves the document
            doc_ui=False,
            static_folder=None,
            validation_error_model=Problem,
            validation_error_callback=validation_error_response,
        )
        self.url_map.merge_slashes = False  # such a URL is not found, rather than redirected
        self.document_hooks: list[Callable[[dict[str, Any]], None]] = []
        self.json = BoundedJSONProvider(self)
        self.openapi_extensions["security"] = []  # auth/ replaces it
        self.openapi_version = "3.1.0"  # client generators reject 3.2
        self.session_interface = NullSessionInterface()
        self.secret_key = settings.secret_key.get_secret_value()
        self.config["MAX_CONTENT_LENGTH"] = settings.max_body_bytes + 1  # see read_json

    def raise_routing_exception(self, request: Request) -> NoReturn:
        """Raise the routing error; a redirect names a path, not the host that a caller sent."""
        error = request.routing_exception
        if isinstance(error, RequestRedirect):
            target = urlsplit(error.new_url)
            query = f"?{target.query}" if target.query else ""
            error.new_url = f"/{target.path.lstrip('/')}{query}"
        super().raise_routing_exception(request)

    def generate_spec_json(self) -> None:
        """Build the document, and add to each operation what flask-openapi does not know."""
        super().generate_spec_json()  # type: ignore[no-untyped-call]
        for complete in (*self.document_hooks, complete_document):
            complete(self.spec_json)
