"""The resources that the service serves: an import and an entry for each."""

from flask_openapi import APIBlueprint

from .{{ cookiecutter.resource_plural }}.routes import api as {{ cookiecutter.resource_plural }}_api

RESOURCES: list[APIBlueprint] = [
    {{ cookiecutter.resource_plural }}_api,
]
