{{ cookiecutter | generated('factories.py') }}
