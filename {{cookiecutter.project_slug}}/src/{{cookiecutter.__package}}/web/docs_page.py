"""The page at `/docs`: Swagger UI, served by the service itself, so that it works offline.

flask-openapi has a page too, but with inline scripts; this one keeps a strict policy. Its links are
relative, so that they hold behind any prefix.
"""

from http import HTTPStatus
from pathlib import Path

import flask_openapi_swagger
from flask import Blueprint, Flask, Response, redirect, send_from_directory, url_for
from markupsafe import escape
from werkzeug.exceptions import PreconditionFailed
from werkzeug.wrappers import Response as AnyResponse

from .security import POLICY

FOLDER = Path(flask_openapi_swagger.__file__).parent / "templates" / "swagger"

PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="docs/swagger-ui.css">
<div id="page"></div>
<script src="docs/swagger-ui-bundle.js"></script>
<script src="docs/start.js"></script>
</html>
"""
SCRIPT = "SwaggerUIBundle({url: 'openapi.json', dom_id: '#page', validatorUrl: null});\n"
PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self';"
    " img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


def init_app(app: Flask, title: str) -> None:
    """Add the page, and redirect to it from `/`."""
    pages = Blueprint("_docs", __name__)
    page = PAGE.format(title=escape(title))

    @pages.get("/")
    def home() -> AnyResponse:
        return redirect(url_for(".show"), code=303)

    @pages.get("/docs")
    def show() -> Response:
        headers = {POLICY: PAGE_POLICY}
        return Response(page, headers=headers, content_type="text/html; charset=utf-8")

    @pages.get("/docs/start.js")
    def start() -> Response:
        return Response(SCRIPT, content_type="text/javascript; charset=utf-8")

    @pages.get("/docs/<name>")
    def file(name: str) -> Response:
        response = send_from_directory(FOLDER / name.rpartition(".")[2], name)
        if response.status_code == HTTPStatus.PRECONDITION_FAILED:  # and holds the whole file
            response.close()
            raise PreconditionFailed("The file is in another state.")
        return response

    app.register_blueprint(pages)
