{{ cookiecutter | generated('test_list.py') }}
