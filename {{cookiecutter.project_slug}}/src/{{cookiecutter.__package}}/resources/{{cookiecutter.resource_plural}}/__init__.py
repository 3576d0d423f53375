"""The resource {{ cookiecutter.resource_plural }}: its table, its documents and its routes."""
