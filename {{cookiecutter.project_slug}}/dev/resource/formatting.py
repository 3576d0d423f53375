"""Makes rendered modules look as `ruff format` and ruff's import rules leave them.

The templates write each statement on one line, and import all that any resource may need.
"""

import ast
import re
import sys
from collections.abc import Iterator, Sequence

WIDTH = 100
INDENT = "    "

TOKEN = re.compile(r"\"(?:\\.|[^\"\\])*\"|'(?:\\.|[^'\\])*'|[()\[\]{}]|,|[^\"'()\[\]{},]+")
OPENING, CLOSING = "([{", ")]}"
COMPARISON = re.compile(r"(\s+\S.*\)) ([<>]= [^,]+,)")
"""A comparison among arguments, whose left side ends with a bracket."""
ANNOTATED_VALUE = re.compile(r"(\s*\w+: .+?) = (.+)")


def tidy(source: str, package: str) -> str:
    """Return a module with the imports that it uses, sorted, and without lines that are too long.

    `package` is the project's own, whose imports come after those of libraries. Raises SyntaxError
    if the source is not Python.
    """
    lines = source.rstrip("\n").split("\n")
    tree = ast.parse(source)
    imports = [node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
    if imports:
        first, last = imports[0].lineno - 1, imports[-1].end_lineno
        kept = _sorted_imports(imports, _used_names(tree), package)
        rest = lines[last:]
        if not kept:
            while rest and not rest[0]:
                rest.pop(0)
        lines = lines[:first] + kept + rest
    return "\n".join(broken for line in lines for broken in break_line(line)).rstrip("\n") + "\n"


def break_line(line: str) -> list[str]:
    """Return the lines that `ruff format` makes of one logical line."""
    if len(line) <= WIDTH or line.lstrip().startswith(("#", '"""')):
        return [line]
    indent = line[: len(line) - len(line.lstrip())]
    if comparison := COMPARISON.fullmatch(line):
        return [comparison[1], indent + comparison[2]]
    annotated = ANNOTATED_VALUE.fullmatch(line)
    pair = _last_brackets(line)
    if annotated and _goes_into_brackets(annotated, pair):
        value = break_line(indent + INDENT + annotated[2])
        return [f"{annotated[1]} = (", *value, f"{indent})"]
    if pair is None:
        return [line]
    start, end = pair
    head, body, tail = line[: start + 1], line[start + 1 : end], indent + line[end:]
    parts = _split(body)
    inner = indent + INDENT
    is_display = line[start] in "[{(" and not re.search(r"[\w\])]$", line[:start])
    one_line = inner + body.rstrip(", ")
    if len(one_line) <= WIDTH and not (is_display and len(parts) > 1):
        return [head, one_line, tail]
    if len(parts) == 1 and not is_display:
        return [head, *break_line(one_line), tail]
    return [head, *(each for part in parts for each in break_line(f"{inner}{part},")), tail]


def _goes_into_brackets(annotated: re.Match[str], pair: tuple[int, int] | None) -> bool:
    """Return true if the value of an annotated name gets brackets of its own."""
    if len(annotated[1]) + len(" = (") > WIDTH:
        return False
    return pair is None or pair[0] < len(annotated[1]) or pair[0] >= WIDTH


def _last_brackets(line: str) -> tuple[int, int] | None:
    """Return where the last outermost brackets that hold something open and close."""
    found, depth, start, position = None, 0, 0, 0
    for piece in TOKEN.findall(line):
        if piece in OPENING:
            if depth == 0:
                start = position
            depth += 1
        elif piece in CLOSING:
            depth -= 1
            if depth == 0 and position > start + 1:
                found = start, position
        position += len(piece)
    return found


def _split(body: str) -> list[str]:
    """Return the parts between the commas that are in no further brackets."""
    parts, depth = [""], 0
    for piece in TOKEN.findall(body):
        if piece == "," and depth == 0:
            parts.append("")
            continue
        depth += (piece in OPENING) - (piece in CLOSING)
        parts[-1] += piece
    return [part.strip() for part in parts if part.strip()]


def _used_names(tree: ast.Module) -> set[str]:
    return {
        node.id
        for node in ast.walk(tree)
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)
    } | {
        word
        for node in ast.walk(tree)
        if isinstance(node, ast.Subscript)
        for text in _strings_of_types(node)
        for word in re.findall(r"\w+", text)
    }


def _strings_of_types(node: ast.Subscript) -> Iterator[str]:
    """Yield the text of `Mapped["..."]`, a type that is written as a string."""
    if isinstance(node.slice, ast.Constant) and isinstance(node.slice.value, str):
        yield node.slice.value


def _sorted_imports(
    imports: Sequence[ast.Import | ast.ImportFrom], used: set[str], package: str
) -> list[str]:
    """Return the lines of the import section, as ruff's rule I001 wants them."""
    modules: set[tuple[str, str]] = set()
    members: dict[str, set[tuple[str, str]]] = {}
    for node in imports:
        for alias in node.names:
            if (alias.asname or alias.name).partition(".")[0] not in used:
                continue
            if isinstance(node, ast.Import):
                modules.add((alias.name, alias.asname or ""))
            else:
                name = "." * node.level + (node.module or "")
                members.setdefault(name, set()).add((alias.name, alias.asname or ""))
    sections: dict[int, list[str]] = {}
    for name, other in sorted(modules, key=lambda each: natural(each[0])):
        sections.setdefault(_section(name, package), []).append(f"import {_renamed(name, other)}")
    for name in sorted(members, key=_module_order):
        names = sorted(members[name], key=_member_order)
        text = ", ".join(_renamed(*each) for each in names)
        lines = [f"from {name} import {text}"]
        if len(lines[0]) > WIDTH:
            lines = [f"from {name} import (", *(f"    {_renamed(*each)}," for each in names), ")"]
        sections.setdefault(_section(name, package), []).extend(lines)
    return "\n\n".join("\n".join(sections[number]) for number in sorted(sections)).splitlines()


def _renamed(name: str, other: str) -> str:
    return f"{name} as {other}" if other else name


def _section(module: str, package: str) -> int:
    """Return the place of a module's section: standard library, libraries, project, relative."""
    if module.startswith("."):
        return 3
    top = module.partition(".")[0]
    if top in sys.stdlib_module_names:
        return 0
    return 2 if top == package else 1


def _module_order(module: str) -> tuple[int, list[tuple[int, int]]]:
    """Sort relative modules from the furthest to the closest."""
    name = module.lstrip(".")
    return len(name) - len(module), natural(name)


def _member_order(member: tuple[str, str]) -> tuple[int, list[tuple[int, int]], str]:
    """Sort constants first, then classes, then the rest."""
    name = member[0]
    kind = 0 if name.isupper() and len(name) > 1 else 1 if name[0].isupper() else 2
    return kind, natural(name.lower()), name


def natural(text: str) -> list[tuple[int, int]]:
    """Return a key that compares runs of digits as numbers, and all else by character."""
    return [
        (ord("0"), int(part)) if part.isdigit() else (ord(part), 0)
        for part in re.findall(r"[0-9]+|[^0-9]", text)
    ]
