{{ cookiecutter | generated('routes.py') }}
