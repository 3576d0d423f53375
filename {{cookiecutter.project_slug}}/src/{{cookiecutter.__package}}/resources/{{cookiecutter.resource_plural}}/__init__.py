{{ cookiecutter | generated('package.py') }}
