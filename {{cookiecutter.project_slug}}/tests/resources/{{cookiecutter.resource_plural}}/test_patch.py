{{ cookiecutter | generated('test_patch.py') }}
