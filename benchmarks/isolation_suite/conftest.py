"""Further tables, the floor's fixture, and a clock for the phases of each test."""

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask
from my_service.database import Base, db
from my_service.settings import Settings
from sqlalchemy import URL, Column, Engine, ForeignKey, Integer, String, Table
from sqlalchemy.orm import Session
from tests.support.engine import drop_database, make_empty_database, make_engine, named

TABLES = int(os.environ["BENCHMARK_TABLES"])
OUTPUT = Path(os.environ["BENCHMARK_OUTPUT"])

FIRST = len(Base.metadata.tables)
spent: dict[str, dict[str, float]] = {}

for number in range(FIRST, TABLES):
    Table(
        f"further_{number}",
        Base.metadata,
        Column("id", Integer, primary_key=True),
        Column("name", String(50), unique=True),
        Column("before_id", ForeignKey(f"further_{max(number - 1, FIRST)}.id")),
    )


@pytest.fixture(scope="session", autouse=True)
def further_tables(app: Flask) -> None:
    """Create the further tables, beside those of the migrations."""
    with app.app_context():
        Base.metadata.create_all(db.engine)


@pytest.fixture(scope="session")
def floor_engine(worker_url: URL, settings: Settings) -> Iterator[Engine]:
    """An engine for the floor's own database."""
    url = named(worker_url, "floor_test")
    make_empty_database(url)
    secret = type(settings.database_url)(url.render_as_string(hide_password=False))
    engine = make_engine(settings.model_copy(update={"database_url": secret}))
    yield engine
    engine.dispose()
    drop_database(url)


@pytest.fixture
def floor_session(floor_engine: Engine) -> Iterator[Session]:
    """The usual fixture for a session."""
    Base.metadata.create_all(floor_engine)
    with Session(floor_engine) as session:
        yield session
    Base.metadata.drop_all(floor_engine)


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Add up set-up and teardown of each test."""
    if report.when != "call":
        phases = spent.setdefault(report.nodeid, {})
        phases[report.when or ""] = report.duration


def pytest_sessionfinish() -> None:
    """Write the milliseconds of each test by kind, except the first, which prepares the others."""
    samples: dict[str, list[float]] = {}
    for test, phases in spent.items():
        what = "create_all + drop_all" if "floor" in test else "fixtures"
        samples.setdefault(what, []).append(sum(phases.values()) * 1e3)
    OUTPUT.write_text(json.dumps({what: values[1:] for what, values in samples.items()}))
