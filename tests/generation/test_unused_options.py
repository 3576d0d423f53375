"""An option that was not chosen costs nothing at run time: its library is not loaded.

The checks of foreign words, references and dependencies show for every variant that its code is
removed. The suite of each tree counts the statements of a request.
"""

import json

import pytest

from tests.harness.baked import Bake
from tests.harness.environments import Environment

# The environment contains the libraries of all options, so a leftover import would succeed.
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
    """Return the packages that are loaded after a service has started and responded."""
    project = bake(database="sqlite", **answers)
    url = f"sqlite:///{project.path}/nothing.db"
    done = project.run(environment.python, "-c", START, url, variables=environment.variables)
    return set(json.loads(done.stdout))


def test_the_defaults_load_no_library_of_an_option(bake: Bake, environment: Environment) -> None:
    loaded = loaded_by(bake, environment)
    assert {"flask", "sqlalchemy"} <= loaded
    assert not loaded & set(LIBRARIES.values())


def test_the_service_does_not_load_what_talks_to_a_broker(
    bake: Bake, environment: Environment
) -> None:
    """Celery's tasks need Celery; its transports are loaded when something is published."""
    loaded = loaded_by(bake, environment, background_jobs="celery")
    assert {"celery", "kombu"} <= loaded
    assert not loaded & {"redis"}


@pytest.mark.parametrize("option", LIBRARIES, ids="=".join)
def test_an_option_loads_only_its_own_library(
    bake: Bake, environment: Environment, option: tuple[str, str]
) -> None:
    loaded = loaded_by(bake, environment, **dict([option]))
    assert loaded & set(LIBRARIES.values()) == {LIBRARIES[option]}
