"""The entry point for WSGI servers.

`gunicorn {{ cookiecutter.__package }}.wsgi:app` runs it.
"""

from . import create_app

app = create_app()
