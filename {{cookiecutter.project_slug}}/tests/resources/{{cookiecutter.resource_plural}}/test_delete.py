{{ cookiecutter | generated('test_delete.py') }}
