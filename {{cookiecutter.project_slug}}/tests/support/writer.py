"""A process that writes: `python -m tests.support.writer ID THREADS TIMES`, on `DATABASE_URL`.

Each thread so many times adds one to the price of the row with this id, and creates a row.
"""

import os
import sys
from uuid import UUID

from sqlalchemy import select

from {{ cookiecutter.__package }} import create_app
from {{ cookiecutter.__package }}.database import db
from {{ cookiecutter.__package }}.settings import load_settings

from .factories import Resource, ResourceFactory
from .side_by_side import in_threads


def main(row_id: str, threads: str, times: str) -> None:
    """Say that the process is ready, wait for a line, and write."""
    settings = load_settings(env_file=None)
    app = create_app(settings.model_copy(update={"threads": int(threads)}))

    def write(number: int) -> None:
        for time in range(int(times)):
            with app.app_context():
                query = select(Resource).where(Resource.id == UUID(row_id)).with_for_update()
                row = db.session.scalars(query).one()
                row.price += 1
                code = f"{os.getpid()}-{number}-{time}"
                db.session.add(ResourceFactory.build(code=code))
                db.session.commit()

    print("ready", flush=True)
    sys.stdin.readline()
    in_threads(write, int(threads))


if __name__ == "__main__":
    main(*sys.argv[1:])
