"""The generator of resources, loaded as the template loads it, and specifications for tests."""

import itertools
from typing import Any

from hypothesis import assume
from hypothesis import strategies as st

from local_extensions import load_generator

generator: Any = load_generator()
grammar: Any = generator.grammar
names: Any = generator.names
formatting: Any = generator.formatting
clashes: Any = generator.clashes

DATABASES = ("sqlite", "postgresql", "mariadb", "mysql")

# Words that could hide an import, a builtin, a keyword or a name of SQL; most of them are allowed.
WORDS = (
    "date datetime time text decimal uuid enum order user type query items next cursor key value"
    " name number status total note page path read patch create select table column index"
    " session api body header count sum object bool str int float list dict set hash range print"
    " uuid4 uuid7 dt any literal annotated field base mapped relationship utc_now string_enum"
    " values events parent child customer member given limit sort group where having default check"
    " references primary constraint now today timestamp interval year month day zone level rank"
    " match case request response self cls args kwargs option language comment row rows"
    " system offset fetch window over partition filter first last x y z a1 a2 b10 b9 e_mail"
).split()


def context(database: str = "sqlite", **changes: Any) -> Any:
    """Return the project that resources are made for; two resources exist already."""
    defaults = {
        "package": "my_service",
        "database": database,
        "resources": {"customers": "Customer", "tags": "Tag"},
        "classes": frozenset({"Customer", "CustomerRead", "Tag"}),
    }
    return generator.Context(**{**defaults, **changes})


def specify(fields: str, name: str = "order", plural: str = "orders", **options: Any) -> Any:
    """Return the resource with these fields."""
    return generator.specify(name, plural, fields, context(**options))


def errors_of(
    fields: str, name: str = "order", plural: str = "orders", **options: Any
) -> list[str]:
    """Return the errors of a specification, as a person reads them."""
    try:
        specify(fields, name, plural, **options)
    except generator.SpecificationError as error:
        return [str(each) for each in error.errors]
    return []


field_names = st.one_of(
    st.sampled_from(WORDS), st.from_regex(r"[a-z][a-z0-9]{0,11}(_[a-z0-9]{1,11})?", fullmatch=True)
)
modifiers = st.lists(st.sampled_from(["optional", "unique", "index"]), unique=True)
enum_values = st.lists(
    st.from_regex(r"[a-z0-9][a-z0-9_-]{0,39}", fullmatch=True), min_size=2, max_size=50, unique=True
)


@st.composite
def types(draw: st.DrawFn) -> str:
    """Return a type with arguments, and with bounds if it can have them."""
    kind = draw(st.sampled_from(grammar.TYPES))
    if kind == "string" and draw(st.booleans()):
        return f"string:{draw(st.integers(1, 650))}"
    if kind == "decimal":
        digits = draw(st.integers(1, 18))
        scale = draw(st.integers(0, digits))
        low = draw(st.integers(-(10**digits) + 1, 10**digits - 2))
        high = draw(st.integers(low + 1, 10**digits - 1))
        bounds = [f"{word}={scaled(value, scale)}" for word, value in (("min", low), ("max", high))]
        return ":".join([f"decimal:{digits}:{scale}", *draw(st.sampled_from(subsets(bounds)))])
    if kind == "integer":
        low = draw(st.integers(-(2**63), 2**63 - 2))
        high = draw(st.integers(low + 1, 2**63 - 1))
        return ":".join(["integer", *draw(st.sampled_from(subsets([f"min={low}", f"max={high}"])))])
    if kind == "enum":
        return ":".join(["enum", *draw(enum_values)])
    if kind == "ref":
        return f"ref:{draw(st.sampled_from(['customers', 'tags', 'orders']))}"
    return str(kind)


def scaled(units: int, scale: int) -> str:
    """Return a decimal of so many of its smallest units."""
    sign, digits = "-" if units < 0 else "", f"{abs(units):0{scale + 1}d}"
    return sign + (f"{digits[:-scale]}.{digits[-scale:]}" if scale else digits)


def subsets(items: list[str]) -> list[list[str]]:
    """Return all subsets of the items."""
    return [
        list(each) for size in range(len(items) + 1) for each in itertools.combinations(items, size)
    ]


@st.composite
def field_lists(draw: st.DrawFn) -> str:
    """Return fields that may break rules of the whole, and in part those of one field."""
    fields = [
        ":".join([name, draw(types()), *draw(modifiers)])
        for name in draw(st.lists(field_names, min_size=1, max_size=12, unique=True))
    ]
    return draw(st.sampled_from([",", " ", ", "])).join(fields)


@st.composite
def usable_specifications(draw: st.DrawFn) -> tuple[str, str, str]:
    """Return the names and fields of a resource that can be rendered; unusable fields are left out.

    What remains is usable, or the test fails.
    """
    name = draw(field_names.filter(is_usable_name))
    plural = names.plural(name)
    kept: list[str] = []
    for drawn in draw(field_lists()).replace(",", " ").split():
        entry = drawn.replace(":ref:orders", f":ref:{plural}")
        if not grammar.parse_fields(" ".join([*kept, entry]), "sqlite", plural).errors:
            kept.append(entry)
    clashing = {line.partition(":")[0] for line in errors_of(" ".join(kept), name, plural)}
    assume(not any(subject.startswith("name ") for subject in clashing))
    kept = [entry for entry in kept if entry.partition(":")[0] not in clashing]
    return name, plural, " ".join(kept or ["xyz:string"])


def is_usable_name(name: str) -> bool:
    """Return true if a resource can have this name."""
    return not errors_of("xyz:string", name, names.plural(name))
