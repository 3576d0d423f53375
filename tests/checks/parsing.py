"""Checks that every file is valid in its format."""

import json
import re
import tomllib
import warnings
from collections.abc import Callable
from functools import cache
from pathlib import Path

import yaml

from tests.harness.baked import BakedProject

ENV_LINE = re.compile(r"(#.*|[A-Z][A-Z0-9_]*=\S*( #.*)?|[A-Z][A-Z0-9_]*=\"[^\"]*\")?")


def unparsable_files(project: BakedProject) -> list[str]:
    """Return the files that the parser of their format rejects, or that are not UTF-8."""
    errors = []
    for path in project.files:
        try:
            _parse(path.name, path.read_text(encoding="utf-8"))
        except (ValueError, SyntaxError, yaml.YAMLError) as error:
            errors.append(f"{project.name_of(path)}: {type(error).__name__}: {error}")
    return errors


@cache  # most files are the same in most variants
def _parse(name: str, text: str) -> None:
    parser_of(Path(name))(text)


def parser_of(path: Path) -> Callable[[str], object]:
    """Return the parser for the format of this file; that for plain text accepts everything."""
    if path.name.startswith(".env"):
        return _read_env
    return PARSERS.get(path.suffix, str)


def _compile(text: str) -> object:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return compile(text, "file.py", "exec", dont_inherit=True)


class _StrictLoader(yaml.SafeLoader):
    """Reads YAML and rejects duplicate keys, which the specification forbids."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[object, object]:  # noqa: FBT001, FBT002
        keys = [
            self.construct_object(key, deep=True)
            for key, _ in node.value
            if key.tag != "tag:yaml.org,2002:merge"
        ]
        if twice := {key for key in keys if keys.count(key) > 1}:
            raise ValueError(f"the keys {twice} are there twice")
        mapping: dict[object, object] = super().construct_mapping(node, deep)
        return mapping


def _read_yaml(text: str) -> object:
    return list(yaml.load_all(text, _StrictLoader))


def _read_env(text: str) -> object:
    for number, line in enumerate(text.splitlines(), start=1):
        if not ENV_LINE.fullmatch(line):
            raise ValueError(f"line {number} is neither a comment nor an assignment: {line!r}")
    return None


PARSERS: dict[str, Callable[[str], object]] = {
    ".json": json.loads,
    ".py": _compile,
    ".toml": tomllib.loads,
    ".yaml": _read_yaml,
    ".yml": _read_yaml,
}
