"""Mutants by rule of a generated resource: each constraint, bound and modifier in turn.

A rule removes what a module says about a field, or moves it by one: a length, a bound, a value of
an enum, a unique key, an index, a filter. What the model and the migration both say is changed in
each alone, and in both at once.
"""

import ast
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import NamedTuple

OWN_COLUMNS = {"id", "version", "created_at", "updated_at"}

# The types of columns and of members whose arguments are lengths, digits and bounds.
WITH_ARGUMENTS = {"ExactString", "ExactDecimal", "StringOf", "DecimalOf", "IntegerOf"}

BOTH = "models.py and migration"


class Edit(NamedTuple):
    """A change of a syntax tree: the attribute of a node gets another value."""

    what: str
    node: ast.AST
    attribute: str
    value: object


class RuleMutant(NamedTuple):
    """A changed text for one or two files of a resource."""

    what: str
    where: str
    texts: Mapping[str, str]

    @property
    def name(self) -> str:
        """The change and the file that has it."""
        return f"{self.what} in {self.where}"


def mutants(sources: Mapping[str, str]) -> Iterator[RuleMutant]:
    """Yield the mutants of a resource, whose files have these texts: `models.py` and others."""
    found: defaultdict[str, dict[str, str]] = defaultdict(dict)
    for where, rules in RULES.items():
        tree = ast.parse(sources[where])
        for edit in rules(tree):
            text = _changed(tree, edit)
            yield RuleMutant(edit.what, where, {where: text})
            found[edit.what][where] = text
    for what, texts in found.items():
        if texts.keys() == {"models.py", "migration"}:
            yield RuleMutant(what, BOTH, texts)


def _changed(tree: ast.Module, edit: Edit) -> str:
    """Return the text of the changed tree, which is then as before."""
    before = getattr(edit.node, edit.attribute)
    setattr(edit.node, edit.attribute, edit.value)
    text = ast.unparse(tree)
    setattr(edit.node, edit.attribute, before)
    return text


# -- models ---------------------------------------------------------------------------------


def model_edits(tree: ast.Module) -> Iterator[Edit]:
    """Change the columns, constraints and indexes of a model."""
    enums = {
        call.args[0].id: _text(call.args[1])
        for call in _calls(tree, "string_enum")
        if isinstance(call.args[0], ast.Name)
    }
    for class_ in _classes(tree):
        if class_.name in enums:
            yield from _enum_class_edits(class_, enums[class_.name])
        else:
            scales = _scales(class_)
            for statement in class_.body:
                if isinstance(statement, ast.AnnAssign):
                    yield from _attribute_edits(statement)
                elif isinstance(statement, ast.Assign) and _is_table_arguments(statement):
                    yield from _table_argument_edits(statement.value, scales)


def _enum_class_edits(class_: ast.ClassDef, field: str) -> Iterator[Edit]:
    for member in class_.body:
        if isinstance(member, ast.Assign):
            what = f"value {_text(member.value)} of {field} dropped"
            yield Edit(what, class_, "body", _without(class_.body, member))


def _attribute_edits(statement: ast.AnnAssign) -> Iterator[Edit]:
    field = _name(statement.target)
    call = statement.value if isinstance(statement.value, ast.Call) else None
    if field in OWN_COLUMNS or (call and _name(call.func) == "relationship"):
        return
    keywords = {keyword.arg: keyword for keyword in call.keywords} if call else {}
    if "nullable" not in keywords:
        annotation = statement.annotation
        assert isinstance(annotation, ast.Subscript)
        yield _flipped(field, annotation, "slice")
    if call is None:
        return
    for name, keyword in keywords.items():
        if name == "unique":
            yield Edit(
                f"unique {field} dropped", call, "keywords", _without(call.keywords, keyword)
            )
        else:
            value = not ast.literal_eval(keyword.value)
            word = "optional" if value else "required"
            yield Edit(f"{field} made {word}", keyword, "value", ast.Constant(value))
    for argument in call.args:
        if isinstance(argument, ast.Call) and _name(argument.func) == "ForeignKey":
            what = f"reference {field} dropped"
            yield Edit(what, call, "args", _without(call.args, argument))
    yield from _argument_edits(call, field)


def _is_table_arguments(statement: ast.Assign) -> bool:
    return _name(statement.targets[0]) == "__table_args__"


def _table_argument_edits(arguments: ast.expr, scales: Mapping[str, int]) -> Iterator[Edit]:
    assert isinstance(arguments, ast.Tuple)
    for call in arguments.elts:
        assert isinstance(call, ast.Call)
        rest = _without(arguments.elts, call)
        if _name(call.func) == "Index":
            first, *_ = columns = call.args[1:]
            yield Edit(f"index of {_text(first)} dropped", arguments, "elts", rest)
            for column in columns:
                what = f"{_text(column)} dropped from the index of {_text(first)}"
                yield Edit(what, call, "args", _without(call.args, column))
        else:
            field = _text(call.keywords[0].value)
            yield Edit(f"CHECK of {field} dropped", arguments, "elts", rest)
            yield from _check_edits(call, field, scales)


# -- the migration --------------------------------------------------------------------------


def migration_edits(tree: ast.Module) -> Iterator[Edit]:
    """Change the columns, constraints and indexes that a migration makes."""
    [table] = _calls(tree, "create_table")
    plural = _text(table.args[0])
    scales = _scales(table)
    for argument in table.args[1:]:
        assert isinstance(argument, ast.Call)
        rest = _without(table.args, argument)
        kind = _name(argument.func)
        if kind == "Column":
            yield from _column_edits(argument)
        elif kind == "UniqueConstraint":
            yield Edit(f"unique {_text(argument.args[0])} dropped", table, "args", rest)
        elif kind == "ForeignKeyConstraint":
            [column] = _items(argument.args[0])
            yield Edit(f"reference {_text(column)} dropped", table, "args", rest)
        elif kind == "CheckConstraint":
            [naming] = _calls(argument.keywords[0].value, "f")
            field = _text(naming.args[0]).removeprefix(f"ck_{plural}_")
            yield Edit(f"CHECK of {field} dropped", table, "args", rest)
            yield from _check_edits(argument, field, scales)
    yield from _index_edits(tree)


def _column_edits(column: ast.Call) -> Iterator[Edit]:
    field = _text(column.args[0])
    if field in OWN_COLUMNS:
        return
    [nullable] = column.keywords
    value = not ast.literal_eval(nullable.value)
    word = "optional" if value else "required"
    yield Edit(f"{field} made {word}", nullable, "value", ast.Constant(value))
    yield from _argument_edits(column, field)
    for enum in _calls(column, "Enum"):
        for each in enum.args:
            what = f"value {_text(each)} of {field} dropped"
            yield Edit(what, enum, "args", _without(enum.args, each))
        kept = [keyword for keyword in enum.keywords if keyword.arg != "create_constraint"]
        yield Edit(f"CHECK of {field} dropped", enum, "keywords", kept)


def _index_edits(tree: ast.Module) -> Iterator[Edit]:
    upgrade = next(node for node in tree.body if isinstance(node, ast.FunctionDef))
    for statement in upgrade.body:
        for index in _calls(statement, "create_index"):
            columns = index.args[2]
            first, *_ = _items(columns)
            what = f"index of {_text(first)} dropped"
            yield Edit(what, upgrade, "body", _without(upgrade.body, statement))
            for column in _items(columns):
                what = f"{_text(column)} dropped from the index of {_text(first)}"
                yield Edit(what, columns, "elts", _without(_items(columns), column))


# -- schemas --------------------------------------------------------------------------------


def schema_edits(tree: ast.Module) -> Iterator[Edit]:
    """Change the types, bounds and defaults of the members of requests and responses."""
    for statement in tree.body:
        if isinstance(statement, ast.Assign):
            yield from _alias_edits(_name(statement.targets[0]), statement.value)
    for class_ in _classes(tree):
        kind = next((word for word in MEMBERS if class_.name.endswith(word)), None)
        for statement in class_.body:
            if kind and isinstance(statement, ast.AnnAssign):
                name = _name(statement.target)
                if name not in {*OWN_COLUMNS, "sort"}:
                    for edit in MEMBERS[kind](name, statement):
                        yield edit._replace(what=f"{edit.what} of {class_.name}")
                if kind == "Query" and name != "sort":
                    what = f"{name} of {class_.name} dropped"
                    yield Edit(what, class_, "body", _without(class_.body, statement))


def _alias_edits(name: str, value: ast.expr) -> Iterator[Edit]:
    if name != "SortBy":
        yield from _argument_edits(value, name)
        return
    assert isinstance(value, ast.Subscript)
    assert isinstance(value.slice, ast.Tuple)
    for key in value.slice.elts:
        what = f"sort by {_text(key)} dropped"
        yield Edit(what, value.slice, "elts", _without(value.slice.elts, key))


def _create_edits(name: str, statement: ast.AnnAssign) -> Iterator[Edit]:
    yield Edit(f"any type for {name}", statement, "annotation", _expression("object | None"))
    if statement.value is None:
        yield Edit(f"{name} made optional", statement, "value", ast.Constant(None))
    else:
        yield Edit(f"{name} made required", statement, "value", None)
        edit = _flipped(name, statement, "annotation")
        yield edit._replace(what=f"null rejected for {name}")


def _patch_edits(name: str, statement: ast.AnnAssign) -> Iterator[Edit]:
    anything = _expression("object | MISSING | None")
    yield Edit(f"any type for {name}", statement, "annotation", anything)
    yield Edit(f"{name} made required", statement, "value", None)
    edit = _flipped(name, statement, "annotation")
    word = "null taken" if edit.what.endswith("optional") else "null rejected"
    yield edit._replace(what=f"{word} for {name}")


def _read_edits(name: str, statement: ast.AnnAssign) -> Iterator[Edit]:
    yield _flipped(name, statement, "annotation")


def _query_edits(name: str, statement: ast.AnnAssign) -> Iterator[Edit]:
    yield Edit(f"any type for {name}", statement, "annotation", _expression("object | None"))


MEMBERS: Mapping[str, Callable[[str, ast.AnnAssign], Iterator[Edit]]] = {
    "Create": _create_edits,
    "Patch": _patch_edits,
    "Read": _read_edits,
    "Query": _query_edits,
}


# -- routes ---------------------------------------------------------------------------------


def route_edits(tree: ast.Module) -> Iterator[Edit]:
    """Change the filters and sorts, and drop the statements of the views in turn."""
    for statement in tree.body:
        if isinstance(statement, ast.Assign) and isinstance(statement.value, ast.Dict):
            yield from _entry_edits(_name(statement.targets[0]), statement.value)
        elif isinstance(statement, ast.FunctionDef):
            for step in statement.body[1:]:
                if isinstance(step, ast.Expr | ast.For):
                    what = f"{ast.unparse(step).splitlines()[0]} dropped from {statement.name}"
                    yield Edit(what, statement, "body", _without(statement.body, step))


def _entry_edits(table: str, entries: ast.Dict) -> Iterator[Edit]:
    for key, call in zip(entries.keys, entries.values, strict=True):
        assert isinstance(key, ast.Constant)
        assert isinstance(call, ast.Call)
        name = _text(key)
        yield Edit(f"{name} of {table} ignored", key, "value", f"{name}_other")
        if call.keywords:
            yield Edit(f"{name} of {table} ascends", call, "keywords", [])
        function = _name(call.func)
        for other in {"at_least": ("equals", "below"), "below": ("equals", "at_least")}.get(
            function, ()
        ):
            yield Edit(f"{name} of {table} {other}", call, "func", ast.Name(other))
        if not name.startswith("created_at"):
            attribute = call.args[0]
            yield Edit(f"{name} of {table} by created_at", attribute, "attr", "created_at")


# -- what several rules share ---------------------------------------------------------------


def _argument_edits(tree: ast.AST, field: str) -> Iterator[Edit]:
    """Move each argument of a type by one, and remove its bounds."""
    for call in _calls(tree, *WITH_ARGUMENTS):
        numbers = [ast.literal_eval(argument) for argument in call.args]
        for position, number in enumerate(numbers):
            for step in (1, -1):
                moved = [*numbers[:position], number + step, *numbers[position + 1 :]]
                if min(moved[:1]) > 0 and min(moved) >= 0 and moved == sorted(moved, reverse=True):
                    arguments = ", ".join(map(str, moved))
                    what = f"{_name(call.func)}({arguments}) for {field}"
                    yield Edit(what, call, "args", [_expression(repr(each)) for each in moved])
        for bound in call.keywords:
            what = f"{bound.arg} of {field}"
            yield Edit(f"{what} dropped", call, "keywords", _without(call.keywords, bound))
            scale = numbers[1] if len(numbers) > 1 else 0
            for step in (1, -1):
                moved_bound = _moved(ast.literal_eval(bound.value), step, scale)
                yield Edit(f"{what} {step:+}", bound, "value", _expression(repr(moved_bound)))


def _check_edits(call: ast.Call, field: str, scales: Mapping[str, int]) -> Iterator[Edit]:
    """Move each bound of a CHECK by one, and make it exclusive or drop it."""
    condition = call.args[0]
    scale = scales.get(field, 0)
    if isinstance(condition, ast.Compare):
        operator = ast.Gt() if isinstance(condition.ops[0], ast.GtE) else ast.Lt()
        yield Edit(f"CHECK of {field} exclusive", condition, "ops", [operator])
        bounds, attribute = condition.comparators, "comparators"
    elif isinstance(condition, ast.Call):
        bounds, attribute = condition.args, "args"
    else:
        return
    for position, bound in enumerate(bounds):
        for step in (1, -1):
            moved = list(bounds)
            moved[position] = _moved_bound(bound, step, scale)
            what = f"CHECK of {field}, bound {position} {step:+}"
            yield Edit(what, condition, attribute, moved)


def _moved_bound(bound: ast.expr, step: int, scale: int) -> ast.expr:
    if isinstance(bound, ast.Call):
        return _expression(f"Decimal({_moved(_text(bound.args[0]), step, scale)!r})")
    return _expression(repr(_moved(ast.literal_eval(bound), step, scale)))


def _moved(bound: int | str, step: int, scale: int) -> int | str:
    if isinstance(bound, int):
        return bound + step
    return format(Decimal(bound) + step * Decimal(1).scaleb(-scale), "f")


def _flipped(field: str, node: ast.AST, attribute: str) -> Edit:
    """Remove `| None` from a type, or add it."""
    type_: ast.expr = getattr(node, attribute)
    if isinstance(type_, ast.BinOp) and ast.unparse(type_.right) == "None":
        return Edit(f"{field} made required", node, attribute, type_.left)
    value = _expression(f"{ast.unparse(type_)} | None")
    return Edit(f"{field} made optional", node, attribute, value)


def _scales(tree: ast.AST) -> dict[str, int]:
    """Return the digits after the point of each column of decimals."""
    found: dict[str, int] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.AnnAssign):
            name: str = _name(node.target)
        elif isinstance(node, ast.Call) and _name(node.func) == "Column":
            name = _text(node.args[0])
        else:
            continue
        for call in _calls(node, "ExactDecimal"):
            found[name] = ast.literal_eval(call.args[1])
    return found


def _calls(tree: ast.AST, *names: str) -> Iterator[ast.Call]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and _name(node.func) in names:
            yield node


def _classes(tree: ast.Module) -> Iterator[ast.ClassDef]:
    return (node for node in tree.body if isinstance(node, ast.ClassDef))


def _name(node: ast.AST) -> str:
    """Return the last part of a name such as `sa.Column`, or nothing."""
    return str(getattr(node, "id", getattr(node, "attr", "")))


def _text(node: ast.AST | None) -> str:
    assert isinstance(node, ast.Constant)
    return str(node.value)


def _items(node: ast.expr) -> list[ast.expr]:
    assert isinstance(node, ast.List)
    return node.elts


def _expression(text: str) -> ast.expr:
    return ast.parse(text, mode="eval").body


def _without(nodes: Sequence[ast.AST], node: ast.AST) -> list[ast.AST]:
    return [each for each in nodes if each is not node]


RULES: Mapping[str, Callable[[ast.Module], Iterator[Edit]]] = {
    "models.py": model_edits,
    "schemas.py": schema_edits,
    "routes.py": route_edits,
    "migration": migration_edits,
}
