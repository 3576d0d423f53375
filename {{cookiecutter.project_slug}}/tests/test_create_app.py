import os
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest
from flask import Flask
from pydantic import SecretStr
from sqlalchemy import Pool, event

from {{ cookiecutter.__package }} import create_app
from {{ cookiecutter.__package }}.base_settings import EXAMPLE_URL
from {{ cookiecutter.__package }}.database import Base, db
from {{ cookiecutter.__package }}.settings import Settings

from .support.api import URL, new_body
from .support.applications import MakeApp, new_app
from .support.databases import create_tables
from .support.probe import PROBES
from .support.programs import PROJECT

SOURCE = PROJECT / "src"


def test_create_app_does_not_touch_the_database(settings: Settings) -> None:
    connections: list[object] = []

    def record(*arguments: object) -> None:
        connections.append(arguments)

    event.listen(Pool, "connect", record)
    try:
        for _ in range(10):
            create_app(settings)
    finally:
        event.remove(Pool, "connect", record)

    assert connections == []


def test_a_database_url_is_the_only_required_setting() -> None:
    made = create_app(Settings(database_url=SecretStr(EXAMPLE_URL)))

    assert made.test_client().get("/livez").status_code == 200


def test_every_model_is_imported_with_the_service() -> None:
    """A table whose model is not imported is not migrated, or dropped."""
    models = {
        ".".join(path.relative_to(SOURCE).with_suffix("").parts)
        for path in SOURCE.glob("{{ cookiecutter.__package }}/resources/**/models.py")
    }
    program = "import sys, {{ cookiecutter.__package }}; print(*sys.modules)"
    environment = {**os.environ, "PYTHONPATH": str(SOURCE)}
    said = subprocess.check_output([sys.executable, "-c", program], text=True, env=environment)

    assert models - {*said.split()} == set(), "import them in resources/__init__.py"


def test_settings_are_loaded_by_default(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".env").write_text(f"DATABASE_URL={EXAMPLE_URL}\nMAX_BODY_BYTES=2000\n")
    monkeypatch.chdir(tmp_path)

    assert create_app().config["MAX_CONTENT_LENGTH"] == 2001


def test_create_app_exits_without_valid_settings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    with pytest.raises(SystemExit, match="DATABASE_URL: Field required"):
        create_app()


def test_applications_have_databases_of_their_own(
    make_app: MakeApp, empty_database: Settings
) -> None:
    create_tables(empty_database)
    one = make_app()
    other = new_app(empty_database)

    assert one.test_client().post(URL, json=new_body()).status_code == 201

    assert other.test_client().get(URL).json == {"items": [], "next": None}
    with one.app_context(), other.app_context():
        url = db.engine.url.render_as_string(hide_password=False)
        db.engine.dispose()
    assert url == empty_database.database_url.get_secret_value()


def test_each_application_has_settings_of_its_own(make_app: MakeApp) -> None:
    small, large = make_app(max_body_bytes=1024), make_app()
    body = new_body(unknown="x" * 2000)

    assert small.test_client().post(URL, json=body).status_code == 413
    assert large.test_client().post(URL, json=body).status_code == 422


def test_blueprints_of_the_kit_have_names_that_no_resource_can_have(app: Flask) -> None:
    own = set(app.blueprints) - {probes.name for probes in PROBES}

    assert own
    assert all(name.startswith("_") for name in own)


def test_models_are_imported_with_the_application() -> None:
    assert "idempotency_keys" in Base.metadata.tables


def test_the_wsgi_module_has_an_application(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", EXAMPLE_URL)

    module = import_module(f"{create_app.__module__}.wsgi")

    assert module.app.name == create_app.__module__
