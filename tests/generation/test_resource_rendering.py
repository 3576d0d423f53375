"""Generated modules are Python that formatter and linter leave alone, for any specification."""

import ast
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from .generator import (
    DATABASES,
    clashes,
    context,
    errors_of,
    formatting,
    generator,
    specify,
    usable_specifications,
)

ROOT = Path(__file__).resolve().parents[2]
SPECIFICATIONS = 450

EVERY_TYPE = (
    "a:string:40:unique b:text:optional c:integer:min=1:max=100000:index d:decimal:12:2:min=0"
    " e:boolean:index f:uuid:optional g:date:index:optional h:datetime:unique i:enum:x:y-z:9:index"
    " j:json k:ref:customers m:ref:orders:optional n:ref:tags:unique o:json:optional p:integer"
)
LONGEST = (
    f"{'f' * 24}:ref:customers:optional {'g' * 24}:decimal:18:2:min=-9999999999999999.99"
    f":max=9999999999999999.99:index {'h' * 24}:string:650:index {'i' * 24}:integer"
    f":min=-9223372036854775808:max=9223372036854775807:index:optional {'j' * 24}:ref:orders"
)


def write(folder: Path, name: str, plural: str, fields: str, **options: Any) -> None:
    """Render a resource into a folder, whose name is that of its only project."""
    resource = generator.specify(name, plural, fields, context(**options))
    for path, text in generator.render_resource(resource, context(**options)).items():
        ast.parse(text)
        assert clashes.clashes(text) == set(), f"{path} of {name} {fields}"
        assert text.endswith("\n") or not text
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")
    (folder / "specification.txt").write_text(f"{name} {plural} {fields}\n", encoding="utf-8")


def assert_clean(folder: Path) -> None:
    """Assert that ruff, with the rules of a project, would change nothing and finds nothing."""
    template = ROOT / "{{cookiecutter.project_slug}}" / "pyproject.toml"
    _, _, rules = template.read_text(encoding="utf-8").partition("[tool.ruff]")
    rules = rules.partition("[tool.cruft]")[0].replace("{{ cookiecutter.__package }}", "my_service")
    rules = rules.replace('"tests/**"', '"**/tests/**"')
    (folder / "pyproject.toml").write_text(f"[tool.ruff]{rules}", encoding="utf-8")
    for command in (["format", "--check"], ["check"]):
        done = subprocess.run(
            [sys.executable, "-m", "ruff", *command, "--no-cache", "."],
            cwd=folder,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout[-3000:]


def test_any_specification_gives_clean_modules(tmp_path: Path) -> None:
    written: list[tuple[str, str, str]] = []

    @settings(
        max_examples=SPECIFICATIONS,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(usable_specifications(), st.sampled_from(DATABASES))
    def render(specification: tuple[str, str, str], database: str) -> None:
        name, plural, fields = specification
        folder = tmp_path / str(len(written))
        write(folder, name, plural, fields, database=database, jobs=True)
        written.append(specification)

    render()

    assert len(set(written)) >= 300
    assert_clean(tmp_path)


@pytest.mark.parametrize(("name", "plural"), [("order", "orders"), ("r" * 30, "s" * 32)])
@pytest.mark.parametrize("fields", [EVERY_TYPE, LONGEST, "a:date", "name:string"])
def test_shortest_and_longest_names_give_clean_modules(
    tmp_path: Path, name: str, plural: str, fields: str
) -> None:
    fields = fields.replace("j:ref:orders", "j:ref:orders:optional").replace("orders", plural)
    write(tmp_path / "one", name, plural, fields, jobs=True)

    assert_clean(tmp_path)


def test_nothing_of_the_templates_is_left() -> None:
    resource = specify(EVERY_TYPE)

    for path, text in generator.render_resource(resource, context(jobs=True)).items():
        for leftover in ("{{", "}}", "{%", "%}", "Undefined", "jinja"):
            assert leftover not in text, path


def test_files_of_a_resource() -> None:
    with_jobs = generator.render_resource(specify("a:date"), context(jobs=True))
    without = generator.render_resource(specify("a:date"), context())

    assert set(with_jobs) - set(without) == {
        "src/my_service/resources/orders/tasks.py",
        "tests/resources/orders/test_tasks.py",
    }
    assert "src/my_service/migrations/versions/0002_create_orders.py" in without


@pytest.mark.parametrize(
    ("fields", "name", "expected"),
    [
        ("str:date other:string", "order", "str: makes the name str, which models.py uses for"),
        ("dt:date other:date", "order", "dt: makes the name dt, which"),
        ("mapped_column:date a:string", "order", "mapped_column: makes the name mapped_column,"),
        ("relationship:uuid a:ref:tags", "order", "relationship: makes the name relationship,"),
        ("page:enum:a:b", "order", "page: makes the name OrderPage, which"),
        ("a:date", "page", "name 'page': makes the name PageQuery, which schemas.py uses for"),
        ("a:enum:b:c", "index", "name 'index': makes the name Index, which models.py uses for"),
        ("read:enum:a:b", "order", "read: makes the name OrderRead, which"),
        ("a:date", "tag", "name 'tag': makes the name Tag, a class that exists already"),
    ],
)
def test_name_that_generated_modules_cannot_hold(fields: str, name: str, expected: str) -> None:
    found = errors_of(fields, name=name, plural=f"{name}_list")

    assert len(found) == 1, found
    assert found[0].startswith(expected), found[0]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("short(1)", ["short(1)"]),
        (
            f"{'f' * 60}({'a' * 30}, {'b' * 20})",
            [f"{'f' * 60}(", f"    {'a' * 30}, {'b' * 20}", ")"],
        ),
        (f"x = [{'a' * 60}, {'b' * 60}]", ["x = [", f"    {'a' * 60},", f"    {'b' * 60},", "]"]),
        (f"x = [{'a' * 95}]", ["x = [", f"    {'a' * 95}", "]"]),
    ],
)
def test_long_lines_are_broken(line: str, expected: list[str]) -> None:
    assert formatting.break_line(line) == expected


def test_unused_imports_are_left_out_and_the_rest_sorted() -> None:
    source = (
        '"""A module."""\n\nfrom ..b import c\nfrom ...a import d, E, F10, F9\nimport zlib\n'
        "import datetime as dt\nimport unused\nfrom flask import X, Y\nfrom my_service.x import Z\n"
        "\nprint(c, d, E, F10, F9, dt, X, Z)\n"
    )

    assert formatting.tidy(source, "my_service") == (
        '"""A module."""\n\nimport datetime as dt\n\nfrom flask import X\n\n'
        "from my_service.x import Z\n\nfrom ...a import F9, F10, E, d\nfrom ..b import c\n"
        "\nprint(c, d, E, F10, F9, dt, X, Z)\n"
    )
