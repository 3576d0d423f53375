"""Finds names of a resource that generated code cannot hold, by reading that code."""

import ast
import builtins
from collections import Counter
from collections.abc import Iterator


def clashes(source: str) -> set[str]:
    """Return the names that are bound twice in a module, or that a class body hides from itself.

    A class body reads a name of the module, such as a type, and has an attribute of the same name.
    """
    tree = ast.parse(source)
    bound = Counter(name for node in tree.body for name in _bound_names(node))
    found = {name for name, times in bound.items() if times > 1}
    outside = bound.keys() | set(dir(builtins))
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef):
            inside = {name for statement in node.body for name in _bound_names(statement)}
            found |= inside & outside & set(_read_names(node))
    return found


def bound_classes(source: str) -> set[str]:
    """Return the names of the classes that a module defines."""
    return {node.name for node in ast.parse(source).body if isinstance(node, ast.ClassDef)}


def _bound_names(node: ast.stmt) -> Iterator[str]:
    if isinstance(node, ast.Import | ast.ImportFrom):
        for alias in node.names:
            yield alias.asname or alias.name.partition(".")[0]
    elif isinstance(node, ast.FunctionDef | ast.ClassDef):
        yield node.name
    elif isinstance(node, ast.Assign):
        yield from (target.id for target in node.targets if isinstance(target, ast.Name))
    elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
        yield node.target.id


def _read_names(class_node: ast.ClassDef) -> Iterator[str]:
    """Yield the names that a class body reads while the class is made."""
    for statement in class_node.body:
        if isinstance(statement, ast.FunctionDef | ast.ClassDef):
            continue
        for node in ast.walk(statement):
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
                yield node.id
