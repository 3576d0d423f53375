{{ cookiecutter | generated('models.py') }}
