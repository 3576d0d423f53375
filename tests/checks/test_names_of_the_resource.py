"""No file of the kit names a resource, in any tree of the template."""

import pytest

from tests.harness.baked import Bake
from tests.harness.variants import Variant

from .names_of_the_resource import kit_files_that_name_the_resource

RARE = {"resource": "zyzzyva", "resource_plural": "zyzzyvas"}


@pytest.mark.one_for_each_tree
def test_the_kit_knows_no_resource(session_bake: Bake, variant: Variant) -> None:
    project = session_bake(**variant.choices, **RARE)

    assert kit_files_that_name_the_resource(project) == []


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("tests/support/api.py", 'URL = "/api/v1/zyzzyvas"\n'),
        ("src/my_service/cli.py", "# a Zyzzyva\n"),
        ("tests/web/test_zyzzyva.py", ""),
        ("dev/run.py", "ZYZZYVA = 1\n"),
    ],
)
def test_a_file_of_the_kit_that_names_the_resource_is_found(
    bake: Bake, file: str, text: str
) -> None:
    project = bake(**RARE)
    with (project.path / file).open("a", encoding="utf-8") as opened:
        opened.write(text)

    [error] = kit_files_that_name_the_resource(project)

    assert error.startswith(file)
