{{ cookiecutter | generated('test_table.py') }}
