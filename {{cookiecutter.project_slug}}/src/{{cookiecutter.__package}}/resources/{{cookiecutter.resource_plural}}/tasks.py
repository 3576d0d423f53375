{{ cookiecutter | generated('tasks.py') }}
