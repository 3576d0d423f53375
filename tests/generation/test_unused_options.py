"""An option that was not chosen costs a service nothing: its library is not even loaded.

That its code is gone is shown for every variant by the checks of traces, references and
dependencies; that a request makes the same statements, by the counts in the suite of each tree.
"""

import json

import pytest

from tests.harness.baked import Bake
from tests.harness.environments import Environment

# The environment holds the libraries of all options, so an import that is left over would succeed.
START = """
import json, sys
from my_service import create_app
from my_service.settings import Settings

client = create_app(Settings(database_url=sys.argv[1])).test_client()
assert client.get("/livez").status_code == 200
print(json.dumps(sorted({name.partition(".")[0] for name in sys.modules})))
"""

LIBRARIES = {("auth", "oidc"): "jwt"}


def loaded_by(bake: Bake, environment: Environment, **answers: str) -> set[str]:
    """The packages that are loaded when a service has started and answered."""
    project = bake(database="sqlite", **answers)
    url = f"sqlite:///{project.path}/nothing.db"
    done = project.run(environment.python, "-c", START, url, variables=environment.variables)
    return set(json.loads(done.stdout))


def test_the_defaults_load_no_library_of_an_option(bake: Bake, environment: Environment) -> None:
    loaded = loaded_by(bake, environment)
    assert {"flask", "sqlalchemy"} <= loaded
    assert not loaded & set(LIBRARIES.values())


def test_the_service_does_not_load_libraries_of_its_worker(
    bake: Bake, environment: Environment
) -> None:
    loaded = loaded_by(bake, environment, background_jobs="celery")
    assert not loaded & {"celery", "kombu", "redis"}


@pytest.mark.parametrize("option", LIBRARIES, ids="=".join)
def test_an_option_loads_only_its_own_library(
    bake: Bake, environment: Environment, option: tuple[str, str]
) -> None:
    loaded = loaded_by(bake, environment, **dict([option]))
    assert loaded & set(LIBRARIES.values()) == {LIBRARIES[option]}
