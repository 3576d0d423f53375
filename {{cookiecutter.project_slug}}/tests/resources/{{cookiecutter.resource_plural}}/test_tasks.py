{{ cookiecutter | generated('test_tasks.py') }}
