"""Create `.env` if it does not exist, as in a fresh clone; `make setup` and `make run` do this."""

import os
{% if cookiecutter.database != "sqlite" or cookiecutter.background_jobs == "celery" %}
import re
{% endif %}
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
SECRETS = ["SECRET_KEY"]
{% if cookiecutter.database != "sqlite" %}
SECRETS.append("DATABASE_PASSWORD")
{% endif %}
{% if cookiecutter.background_jobs == "celery" %}
SECRETS.append("BROKER_PASSWORD")
{% endif %}
{% if cookiecutter.database != "sqlite" or cookiecutter.background_jobs == "celery" %}
PORTS = range(20_000, 30_000)
{% endif %}


def make_env_file(project: Path = PROJECT) -> bool:
    """Write `.env` from `.env.example`, readable by its owner only, unless it exists.

    Returns whether it was written.
    """
    example = (project / ".env.example").read_text(encoding="utf-8")
    try:
        descriptor = os.open(project / ".env", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return False
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.writelines(own_line(line) for line in example.splitlines(keepends=True))
    return True


def own_line(line: str) -> str:
    """Return the line of `.env` for a line of `.env.example`."""
    name = line.partition("=")[0]
    if name in SECRETS:
        return f"{name}={os.urandom(32).hex()}\n"
{% if cookiecutter.database != "sqlite" %}
    if line.startswith("DATABASE_URL="):
        return with_own_port(line)
{% endif %}
{% if cookiecutter.background_jobs == "celery" %}
    if line.startswith("BROKER_URL="):
        return with_own_port(line)
{% endif %}
    return line


{% if cookiecutter.database != "sqlite" or cookiecutter.background_jobs == "celery" %}
def with_own_port(line: str) -> str:
    """Set a random port in the URL, so that private servers of two projects can run at once."""
    port = PORTS[int.from_bytes(os.urandom(4)) % len(PORTS)]
    return re.sub(r":\d+(?=/)", f":{port}", line)


{% endif %}
if __name__ == "__main__":
    make_env_file()
