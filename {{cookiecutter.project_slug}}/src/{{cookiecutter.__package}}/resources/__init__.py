"""The resources of the service: an import and an entry for each."""

from flask_openapi import OpenAPI

from .{{ cookiecutter.resource_plural }}.routes import api as {{ cookiecutter.resource_plural }}

RESOURCES = [{{ cookiecutter.resource_plural }}]


def init_app(app: OpenAPI) -> None:
    """Register the routes of every resource and enter them in the API document."""
    for resource in RESOURCES:
        app.register_api(resource)
