{{ cookiecutter | generated('test_create.py') }}
