"""Resources in which every two of type, modifier and position of a field meet."""

import itertools
from collections.abc import Iterator
from typing import Any, NamedTuple

from local_extensions import load_generator

# Names that shadow imports, keywords of SQL, and attributes of libraries; all are allowed.
NAMES = (
    "order user date text type query items value key time datetime decimal uuid enum path"
    " body header next page match case select table column group having default check primary"
    " session api total number status name note rank level zone first last x a1 b10 e_mail"
    " client url size member field row args given"
).split()

# Names that an enum cannot have: its class would be called as one of the schemas.
CLASS_ENDINGS = {"page", "path", "query"}

# A type with arguments for each, and what makes it unique in a small domain impossible.
TYPES = {
    "string": "string:30",
    "text": "text",
    "integer": "integer:min=-5:max=100000",
    "decimal": "decimal:9:3",
    "boolean": "boolean",
    "uuid": "uuid",
    "date": "date",
    "datetime": "datetime",
    "enum": "enum:one:two-2:3",
    "json": "json",
    "ref": "ref:{target}",
}
MODIFIERS = ("", "optional", "unique", "index", "optional:unique", "optional:index")
POSITIONS = ("first", "middle", "last")


class Specification(NamedTuple):
    """A resource to be made: its names and fields."""

    name: str
    plural: str
    fields: str


def allowed(kind: str, modifier: str) -> bool:
    """Return true if the grammar allows the modifier for the type."""
    parsed = load_generator().grammar.parse_fields(
        _entry("abc", kind, modifier, "others"), "sqlite"
    )
    return not parsed.errors


def _entry(name: str, kind: str, modifier: str, target: str) -> str:
    return ":".join(part for part in (name, TYPES[kind].format(target=target), modifier) if part)


def cases() -> list[tuple[str, str, str]]:
    """Return each type with each modifier that it can have, at each position."""
    return [
        case for case in itertools.product(TYPES, MODIFIERS, POSITIONS) if allowed(case[0], case[1])
    ]


def specifications(size: int = 4) -> Iterator[Specification]:
    """Yield resources of `size` fields that together have all cases; each refers to one before."""
    open_cases = {position: [c for c in cases() if c[2] == position] for position in POSITIONS}
    words = itertools.cycle(NAMES)
    target = "items"
    for number in itertools.count():
        if not any(open_cases.values()):
            return
        positions = ["first", *["middle"] * (size - 2), "last"]
        chosen = [
            open_cases[position].pop() if open_cases[position] else ("integer", "", position)
            for position in positions
        ]
        names = [
            next(word for word in words if kind != "enum" or word not in CLASS_ENDINGS)
            for kind, _, _ in chosen
        ]
        fields = [
            _entry(name, kind, modifier, target)
            for name, (kind, modifier, _) in zip(names, chosen, strict=True)
        ]
        plural = f"things{number}"
        yield Specification(f"thing{number}", plural, " ".join(fields))
        target = plural


def pairs(fields: Any) -> set[tuple[str, str]]:
    """Return the pairs of type, modifiers and position that parsed fields cover."""
    found: set[tuple[str, str]] = set()
    for index, field in enumerate(fields):
        position = "first" if index == 0 else "last" if index == len(fields) - 1 else "middle"
        words = [
            word
            for word, has in (
                ("optional", field.optional),
                ("unique", field.unique),
                ("index", field.has_index),
            )
            if has
        ]
        modifier = ":".join(words)
        found |= {(field.type, modifier), (field.type, position), (modifier, position)}
    return found
