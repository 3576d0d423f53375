"""Projects are the same whether their templates were compiled for them or for another project."""

from pathlib import Path

from pytest_cookies.plugin import Cookies

from tests.harness.baked import Bake, BakedProject
from tests.harness.variants import ROOT, VARIANTS

# Contains a secret that is different in each project.
NOT_COMPARED = ".env"


def contents(project: BakedProject) -> dict[str, bytes]:
    """Return the contents of its files by name."""
    names = {project.name_of(path): path for path in project.files}
    return {name: path.read_bytes() for name, path in names.items() if name != NOT_COMPARED}


def test_templates_compiled_before_render_the_same(bake: Bake, cookies: Cookies) -> None:
    choices = VARIANTS[-1].choices
    by_cookiecutter_alone = cookies.bake(
        extra_context={"setup": "no", **choices}, template=str(ROOT)
    )
    expected = contents(BakedProject(Path(by_cookiecutter_alone.project_path), choices))

    bake()
    again = contents(bake(**choices))

    assert len(expected) > 100
    assert again == expected
