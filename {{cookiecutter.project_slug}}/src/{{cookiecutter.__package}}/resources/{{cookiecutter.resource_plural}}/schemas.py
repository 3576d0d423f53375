{{ cookiecutter | generated('schemas.py') }}
