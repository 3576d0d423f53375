{{ cookiecutter | generated('test_read.py') }}
