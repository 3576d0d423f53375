"""The resources that the service serves: an import and an entry for each."""

from .{{ cookiecutter.resource_plural }}.routes import api as {{ cookiecutter.resource_plural }}_api

RESOURCES = [
    {{ cookiecutter.resource_plural }}_api,
]
