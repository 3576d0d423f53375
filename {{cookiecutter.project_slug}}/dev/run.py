"""Serve the service for development, on a migrated database: `make run`."""

import argparse
import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

{% if cookiecutter.database != "sqlite" %}
from sqlalchemy import make_url

{% endif %}
from {{ cookiecutter.__package }}.database.migrations import upgrade
from {{ cookiecutter.__package }}.database.revisions import MigrationError
from {{ cookiecutter.__package }}.settings import Settings

{% if cookiecutter.database != "sqlite" %}
from .development_server import development_server
{% endif %}
from .env_file import make_env_file
{% if cookiecutter.background_jobs == "celery" %}
from .worker import run_worker
{% endif %}

PROJECT = Path(__file__).resolve().parent.parent
HOST = "127.0.0.1"
PORT = 5000
SECONDS_TO_END = 10
NO_SEEDS = "ENVIRONMENT is {}, but seeds are only for development: remove it from .env or the shell"


def main() -> int:
    """Migrate, then serve until Ctrl-C or run the given command; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m dev.run", description=__doc__)
    parser.add_argument("--port", type=int, default=PORT, help=f"default: {PORT}")
    parser.add_argument("--migrate-only", action="store_true", help="do not serve")
    parser.add_argument("--seed", action="store_true", help="add the rows of dev/seed.py")
{% if cookiecutter.background_jobs == "celery" %}
    parser.add_argument("--worker", action="store_true", help="run background jobs, do not serve")
{% endif %}
    parser.add_argument(
        "command", nargs=argparse.REMAINDER, help="a command of `flask` to run instead of serving"
    )
    arguments = parser.parse_args()
    os.chdir(PROJECT)
    make_env_file()
    settings = Settings.load()
    if arguments.seed and settings.environment != "development":
        parser.error(NO_SEEDS.format(settings.environment))
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    try:
{% if cookiecutter.database == "sqlite" %}
        return work(arguments, settings)
{% else %}
        with development_server(make_url(settings.database_url.get_secret_value())):
            return work(arguments, settings)
{% endif %}
    except MigrationError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:  # the usual end of serving
        return 0


def work(arguments: argparse.Namespace, settings: Settings) -> int:
    """Migrate, then serve or run the command; the database exists."""
    migrate(settings)
{% if cookiecutter.background_jobs == "celery" %}
    if arguments.worker:
        return run_worker(settings)
{% endif %}
    if arguments.command:
        return flask(*arguments.command)
    if arguments.seed:
        return add_seeds(settings)
    if arguments.migrate_only:
        return 0
    return flask("run", "--reload", "--host", HOST, "--port", str(arguments.port))


def migrate(settings: Settings) -> None:
    """Upgrade the database to the newest schema, unless it is ahead of this code."""
    for note in upgrade(settings):
        print(note)


def add_seeds(settings: Settings) -> int:
    """Call `seed` of dev/seed.py and commit; an exception leaves the database as it was."""
    from {{ cookiecutter.__package }} import create_app
    from {{ cookiecutter.__package }}.database import db

    from .seed import seed

    with create_app(settings).app_context():
        seed(db.session())
        db.session.commit()
    return 0


def flask(*arguments: str) -> int:
    """Run a command of `flask` and return its exit status.

    Ctrl-C reaches it as well, and it ends by itself: a server that is also terminated while it
    stops shows a traceback. In a shell, Ctrl-C only cancels a line.
    """
    process = subprocess.Popen(
        [
            sys.executable,
            *("-m", "flask", "--app"),
            "{{ cookiecutter.__package }}",
            *arguments,
        ],
        env=os.environ | {"FLASK_SKIP_DOTENV": "1"},  # the service reads `.env` at each reload
    )
    if arguments[0] == "shell":
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        return process.wait()
    except KeyboardInterrupt:
        with suppress(subprocess.TimeoutExpired):
            process.wait(SECONDS_TO_END)
        raise
    finally:
        process.terminate()
        process.wait()


if __name__ == "__main__":
    sys.exit(main())
