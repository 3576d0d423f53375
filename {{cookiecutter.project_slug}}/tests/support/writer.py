"""A process that writes: each of its threads repeatedly increments a price and adds a row."""

import os
from collections.abc import Callable
from uuid import UUID

from sqlalchemy import select

from {{ cookiecutter.__package }} import create_app
from {{ cookiecutter.__package }}.database import db
from {{ cookiecutter.__package }}.settings import Settings

from .concurrency import in_threads
from .probe import Probe, ProbeFactory


def main(wait_for_others: Callable[[], object], row_id: str, threads: str, times: str) -> None:
    """Write to `DATABASE_URL` when the other processes do."""
    settings = Settings.load(env_file=None)
    app = create_app(settings.model_copy(update={"threads": int(threads)}))

    def write(number: int) -> None:
        for time in range(int(times)):
            with app.app_context():
                query = select(Probe).where(Probe.id == UUID(row_id)).with_for_update()
                row = db.session.scalars(query).one()
                row.price += 1
                code = f"{os.getpid()}-{number}-{time}"
                db.session.add(ProbeFactory.build(code=code))
                db.session.commit()

    wait_for_others()
    in_threads(write, int(threads))
