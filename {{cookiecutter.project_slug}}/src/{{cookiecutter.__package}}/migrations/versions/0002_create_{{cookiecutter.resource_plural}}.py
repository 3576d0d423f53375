{{ cookiecutter | generated('revision.py') }}
