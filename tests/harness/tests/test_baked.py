"""A project is the same whether its templates were compiled for it or for one before."""

from pathlib import Path

from pytest_cookies.plugin import Cookies

from tests.harness.baked import Bake, BakedProject
from tests.harness.variants import ROOT, VARIANTS

# Its secret is another one each time.
NOT_COMPARED = ".env"


def contents(project: BakedProject) -> dict[str, bytes]:
    """What is in its files, by their names."""
    names = {project.name_of(path): path for path in project.files}
    return {name: path.read_bytes() for name, path in names.items() if name != NOT_COMPARED}


def test_templates_that_were_compiled_before_are_rendered_the_same(
    bake: Bake, cookies: Cookies
) -> None:
    choices = VARIANTS[-1].choices
    by_cookiecutter_alone = cookies.bake(
        extra_context={"setup": "no", **choices}, template=str(ROOT)
    )
    expected = contents(BakedProject(Path(by_cookiecutter_alone.project_path), choices))

    bake()
    again = contents(bake(**choices))

    assert len(expected) > 100
    assert again == expected
