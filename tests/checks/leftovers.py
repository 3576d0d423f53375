"""Checks that a project shows no sign of a template: neither Jinja nor gaps left by blocks."""

import io
import re
import tokenize
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from tests.harness.baked import BakedProject

# Only opening marks: nested dictionaries end like an expression.
JINJA = re.compile(r"\{\{|\{%|\{#|cookiecutter", re.IGNORECASE)

# Intended text that looks like Jinja: the files, the text and the reason.
MEANT = (
    (".github/**/*.yml", re.compile(r"\$\{\{[^{}]*\}\}"), "an expression of GitHub's"),
    ("dev/resource/**/*.jinja", re.compile(r"\{[{%#][^\n]*"), "a template of resources"),
    ("dev/template.py", re.compile(r"cookiecutter", re.IGNORECASE), "the program that it runs"),
    ("docs/updates.md", re.compile(r"\bcookiecutter\b"), "the program that generates it again"),
)

# Maximum number of blank lines in a row: two for Python, also in Markdown.
WIDEST_GAP = {".py": 2, ".mako": 2, ".jinja": 2}
PYTHON_BLOCK = re.compile(r"^```python\n.*?^```", re.MULTILINE | re.DOTALL)


def jinja_leftovers(project: BakedProject) -> list[str]:
    """Return marks of Jinja and the name of cookiecutter in files and their names."""
    errors = []
    for path in project.files:
        name = project.name_of(path)
        if found := JINJA.search(name):
            errors.append(f"{name}: its name holds {found[0]!r}")
        errors += _jinja_in(name, path.read_text(encoding="utf-8"))
    return errors


@cache  # most files are the same in most variants
def _jinja_in(name: str, text: str) -> list[str]:
    return [
        f"{name}:{number}: holds {found[0]!r}: {line.strip()}"
        for number, line in enumerate(_without_what_is_meant(name, text), start=1)
        if (found := JINJA.search(line))
    ]


def _without_what_is_meant(name: str, text: str) -> list[str]:
    for pattern, meant, _why in MEANT:
        if Path(name).match(pattern):
            text = meant.sub("", text)
    if not name.endswith(".py"):
        return text.splitlines()
    return _without_brackets_of_f_strings(text)


def _without_brackets_of_f_strings(text: str) -> list[str]:
    lines = text.split("\n")
    for row, start, end in _brackets_in_f_strings(text):
        lines[row] = lines[row][:start] + " " * (end - start) + lines[row][end:]
    return lines


def _brackets_in_f_strings(text: str) -> Iterator[tuple[int, int, int]]:
    """Return where an f-string escapes a bracket: line (from 0), start and end."""
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if not _is_f_string(token):
            continue
        for offset, line in enumerate(token.string.split("\n")):
            first_column = token.start[1] if offset == 0 else 0
            for found in re.finditer(r"\{\{", line):
                row = token.start[0] - 1 + offset
                yield row, first_column + found.start(), first_column + found.end()


def _is_f_string(token: tokenize.TokenInfo) -> bool:
    if token.type == tokenize.STRING:  # before Python 3.12 an f-string is one token
        return "f" in re.split("[\"']", token.string, maxsplit=1)[0].lower()
    return tokenize.tok_name[token.type] == "FSTRING_MIDDLE"


def blank_line_leftovers(project: BakedProject) -> list[str]:
    """Return gaps, trailing spaces, and blank lines at the beginning or end of a file."""
    return [
        error
        for path in project.files
        for error in _gaps_in(project.name_of(path), path.read_text(encoding="utf-8"))
    ]


@cache
def _gaps_in(name: str, text: str) -> list[str]:
    errors = []
    widest = WIDEST_GAP.get(Path(name).suffix, 1)
    prose = PYTHON_BLOCK.sub(lambda block: block[0].replace("\n\n\n", "\n#\n#\n"), text)
    if "\n" * (widest + 2) in prose:
        line = prose[: prose.index("\n" * (widest + 2))].count("\n") + 1
        errors.append(f"{name}:{line}: more than {widest} blank lines follow")
    if text and (text.startswith("\n") or not text.endswith("\n") or text.endswith("\n\n")):
        errors.append(f"{name}: does not begin with text and end with one line end")
    errors += [
        f"{name}:{number}: spaces at the end"
        for number, line in enumerate(text.splitlines(), start=1)
        if line != line.rstrip()
    ]
    return errors
