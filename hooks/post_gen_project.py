"""Finishes a project: removes options that were not chosen, writes `.env`, and runs the set-up.

Uses only the standard library, and imports slow modules only where they are needed: this runs at
every generation. The tracked files come out the same every time, and the hook may run again on the
same folder.
"""

import os
import sys
from collections.abc import Mapping
from pathlib import Path

# Only choices and names that the other hook has validated, so plain literals are safe.
ANSWERS = {
    "package": "{{ cookiecutter.__package }}",
    "resource_plural": "{{ cookiecutter.resource_plural }}",
    "engine": "{{ cookiecutter.__engine }}",
    "database": "{{ cookiecutter.database }}",
    "auth": "{{ cookiecutter.auth }}",
    "background_jobs": "{{ cookiecutter.background_jobs }}",
    "deployment": "{{ cookiecutter.deployment }}",
    "ci": "{{ cookiecutter.ci }}",
    "setup": "{{ cookiecutter.setup }}",
    "cruft_commit": "{{ cookiecutter._commit | default('') }}",
}

CHOSEN = ("auth", "background_jobs", "deployment", "ci")
"""The choices that a summary names, by the names of their prompts."""

Choices = Mapping[str, tuple[str, ...]]

# An entry for each option: its name, the choices that keep it (all of them; with several groups,
# all of one group), and its files and folders. Each path has to exist in a fresh project, so that
# a renamed file is never left behind. A folder comes after its files.
MANIFEST: tuple[tuple[str, Choices | tuple[Choices, ...], tuple[str, ...]], ...] = (
    (
        "SQLite",
        {"database": ("sqlite",)},
        (
            "src/{package}/database/sqlite.py",
            "src/{package}/database/casts_sqlite.py",
            "src/{package}/database/copies_sqlite.py",
            "src/{package}/database/catalog_sqlite.py",
            "tests/database/sessions/test_transactions_sqlite.py",
            "tests/database/sessions/test_outages_sqlite.py",
            "tests/support/sqlite.py",
            "tests/database/test_casts_sqlite.py",
            "tests/database/test_copies_sqlite.py",
            "tests/database/test_sqlite.py",
            "tests/database/test_migration_locks_sqlite.py",
        ),
    ),
    (
        "PostgreSQL",
        {"database": ("postgresql",)},
        (
            "dev/server_postgresql.py",
            "src/{package}/database/postgresql.py",
            "src/{package}/database/catalog_postgresql.py",
            "tests/database/sessions/test_transactions_postgresql.py",
            "tests/support/postgresql.py",
            "tests/database/test_postgresql.py",
            "tests/dev/test_server_postgresql.py",
        ),
    ),
    (
        "MariaDB",
        {"database": ("mariadb",)},
        (
            "dev/server_mariadb.py",
            "src/{package}/database/mariadb.py",
            "tests/dev/test_server_mariadb.py",
        ),
    ),
    (
        "MySQL",
        {"database": ("mysql",)},
        (
            "dev/server_mysql.py",
            "src/{package}/database/mysql.py",
            "tests/database/test_mysql.py",
            "tests/dev/test_server_mysql.py",
        ),
    ),
    (
        "InnoDB, the engine inside of MariaDB and MySQL",
        {"database": ("mariadb", "mysql")},
        (
            "dev/server_innodb.py",
            "src/{package}/database/catalog_innodb.py",
            "src/{package}/database/innodb.py",
            "src/{package}/database/innodb_connection.py",
            "src/{package}/database/unfinished.py",
            "tests/support/innodb.py",
            "tests/database/test_innodb.py",
            "tests/database/test_unfinished.py",
        ),
    ),
    (
        "database server",
        {"database": ("postgresql", "mariadb", "mysql")},
        (
            "dev/development_server.py",
            "tests/database/sessions/test_concurrency_servers.py",
            "tests/database/sessions/test_outages_servers.py",
            "tests/database/test_migration_locks_servers.py",
            "tests/support/relay.py",
            "tests/support/restarts.py",
        ),
    ),
    (
        "private server",
        ({"database": ("postgresql", "mariadb", "mysql")}, {"background_jobs": ("celery",)}),
        ("dev/private_server.py",),
    ),
    (
        "background jobs",
        {"background_jobs": ("celery",)},
        (
            "deploy/kubernetes/beat.yaml",
            "deploy/kubernetes/redis.yaml",
            "deploy/kubernetes/relay.yaml",
            "deploy/kubernetes/worker.yaml",
            "dev/resource/templates/tasks.py.jinja",
            "dev/resource/templates/test_tasks.py.jinja",
            "dev/server_redis.py",
            "dev/worker.py",
            "docs/jobs.md",
            "redis.conf",
            "src/{package}/jobs",
            "src/{package}/resources/{resource_plural}/tasks.py",
            "tests/resources/{resource_plural}/test_tasks.py",
            "src/{package}/worker.py",
            "tests/dev/test_server_redis.py",
            "tests/jobs",
        ),
    ),
    (
        "no background jobs",
        {"background_jobs": ("none",)},
        ("deploy/kubernetes/housekeeping.yaml",),
    ),
    (
        "API keys",
        {"auth": ("api_key",)},
        (
            "src/{package}/auth/api_keys.py",
            "src/{package}/auth/cli.py",
            "tests/auth/test_api_keys.py",
            "tests/auth/test_cli.py",
        ),
    ),
    (
        "OpenID Connect",
        {"auth": ("oidc",)},
        (
            "src/{package}/auth/oidc.py",
            "src/{package}/auth/provider.py",
            "tests/auth/provider.py",
            "tests/auth/test_oidc.py",
        ),
    ),
    (
        "authentication",
        {"auth": ("api_key", "oidc")},
        (
            "docs/authentication.md",
            "src/{package}/auth",
            "tests/auth",
            "tests/support/credentials.py",
        ),
    ),
    (
        "Docker",
        {"deployment": ("docker", "kubernetes")},
        (".dockerignore", "Caddyfile", "Dockerfile", "compose.yaml"),
    ),
    ("Kubernetes", {"deployment": ("kubernetes",)}, (".checkov.yaml", "deploy")),
    ("GitHub", {"ci": ("github",)}, (".github",)),
    ("GitLab", {"ci": ("gitlab",)}, (".gitlab-ci.yml", "renovate.json")),
)


def paths_to_remove(answers: Mapping[str, str]) -> list[str]:
    """Return the paths of all options that were not chosen."""
    return [
        path.format(package=answers["package"], resource_plural=answers["resource_plural"])
        for _, choices, paths in MANIFEST
        if not any(_fit(group, answers) for group in _groups(choices))
        for path in paths
    ]


def _groups(choices: Choices | tuple[Choices, ...]) -> tuple[Choices, ...]:
    return choices if isinstance(choices, tuple) else (choices,)


def _fit(choices: Choices, answers: Mapping[str, str]) -> bool:
    return all(answers[name] in kept for name, kept in choices.items())


def remove_options(project: Path, answers: Mapping[str, str], *, again: bool) -> None:
    """Remove the files of options that were not chosen.

    Exits with an error if a path is missing in a fresh project. With `again` it may be missing.
    """
    paths = paths_to_remove(answers)
    missing = [path for path in paths if not os.path.lexists(project / path)]
    if missing and not again:
        sys.exit(f"Error in the template: its manifest names missing paths: {', '.join(missing)}.")
    for path in paths:
        if path not in missing:
            _remove(project / path)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        import shutil  # noqa: PLC0415

        shutil.rmtree(path)
    else:
        path.unlink()


def make_env(project: Path) -> None:
    """Write `.env` with a new secret, as `dev.env_file` also does in a clone of the project."""
    import importlib  # noqa: PLC0415

    sys.dont_write_bytecode = True  # bytecode would stay in the project
    sys.path.insert(0, str(project))
    importlib.import_module("dev.env_file").make_env_file()


def is_for_comparison(project: Path, answers: Mapping[str, str]) -> bool:
    """Return whether cruft renders the template only to compare two versions.

    For an update or a check cruft uses a temporary folder that it deletes at once. A secret there
    would show up as a change of `.env`, and a set-up would be wasted.
    """
    if not answers["cruft_commit"]:
        return False
    import tempfile  # noqa: PLC0415

    folder = project.parent
    return folder.name.startswith("tmp") and folder.parent == Path(tempfile.gettempdir()).resolve()


def set_up(project: Path) -> None:
    """Run `make setup`. If it fails, the project stays and the generation still succeeds."""
    import signal  # noqa: PLC0415
    import subprocess  # noqa: PLC0415

    sys.stdout.flush()
    process = subprocess.Popen([sys.executable, "-m", "dev.setup"], cwd=project)
    # Ctrl-C reaches the set-up directly; wait until it has printed the remaining steps.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    process.wait()


def say_what_was_made(project: Path, answers: Mapping[str, str]) -> None:
    """Print what was made, and the one command that makes it again in another folder.

    The record of the project has the address of the template without secrets, and all answers.
    """
    import json  # noqa: PLC0415
    import shlex  # noqa: PLC0415

    record = project / "docs" / "template.yaml"
    noted = {}
    for line in record.read_text(encoding="utf-8").partition("default_context:")[0].splitlines():
        name, _, value = line.strip().partition(": ")
        if value.startswith('"'):
            noted[name] = json.loads(value)
    # Cookiecutter reads a folder as it is.
    has_commits = noted["commit"] and not Path(noted["address"]).is_absolute()
    checkout = ["--checkout", noted["commit"]] if has_commits else []
    options = ["--no-input", "--config-file", _seen_from_the_shell(record)]
    command = ["cookiecutter", noted["address"], *checkout, *options, "--output-dir", "again"]
    chosen = ", ".join(f"{name} {answers[name]}" for name in CHOSEN)
    print(
        f"\n{project.name} is generated from release {noted['release']}: "
        f"{answers['resource_plural']} on {answers['engine']}, {chosen}.\n"
        "docs/template.yaml has your answers. This generates it again, elsewhere:\n\n"
        f"  {shlex.join(command)}\n"
    )


def _seen_from_the_shell(path: Path) -> str:
    """Return a path as the shell of the user needs it."""
    shell = Path(os.environ.get("PWD") or path.parent)
    return str(path.relative_to(shell) if path.is_relative_to(shell) else path)


def say_what_next(project: Path) -> None:
    """Print the next commands to run."""
    folder = _seen_from_the_shell(project)
    print("Next:\n")
    print(f"  cd {folder}" if " " not in folder else f'  cd "{folder}"')
    print("  make run     # install what is missing, migrate, serve on http://127.0.0.1:5000")
    print("  make test    # run its tests\n")


def main() -> None:
    """Finish the project in the current folder."""
    project = Path.cwd()
    again = os.path.lexists(project / ".env")
    remove_options(project, ANSWERS, again=again)
    if again or is_for_comparison(project, ANSWERS):
        return
    make_env(project)
    if ANSWERS["setup"] == "yes":
        set_up(project)
    say_what_was_made(project, ANSWERS)
    if ANSWERS["setup"] == "no":
        say_what_next(project)


if __name__ == "__main__":
    main()
