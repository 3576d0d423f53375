"""Mutants of what holds while the database is unreachable and when it is back."""

from .mutant import INNODB, OUTAGES_SQLITE, PACKAGE, POSTGRESQL, SQLITE, Mutant

EVERY_ROUTE = "tests/web/test_every_route.py"
OUTAGES_SERVERS = "tests/database/sessions/test_outages_servers.py"
NO_PING = (('"pool_pre_ping": True', '"pool_pre_ping": False'),)

OUTAGE_MUTANTS = (
    Mutant(
        "no connection is a defect",
        "an unreachable database is a 503",
        POSTGRESQL,
        (
            (
                "if error.connection_invalidated or error.statement is None:",
                "if error.connection_invalidated:",
            ),
        ),
        (f"{EVERY_ROUTE}::test_every_route_answers_503_while_the_database_is_unreachable",),
        database="postgresql",
    ),
    Mutant(
        "no ping before use (PostgreSQL)",
        "idle connections that the server ended are seen by no request",
        POSTGRESQL,
        NO_PING,
        (
            f"{OUTAGES_SERVERS}::test_reads_survive_idle_connections_that_the_server_ended",
            f"{OUTAGES_SERVERS}::test_writes_survive_idle_connections_that_the_server_ended",
        ),
        database="postgresql",
    ),
    Mutant(
        "no ping before use (MariaDB)",
        "idle connections that the server ended are seen by no request",
        INNODB,
        NO_PING,
        (f"{OUTAGES_SERVERS}::test_reads_survive_idle_connections_that_the_server_ended",),
        database="mariadb",
    ),
    Mutant(
        "no 503 without Retry-After",
        "a 503 says when to come back",
        f"{PACKAGE}/web/problems.py",
        (('retry = {"Retry-After": str(RETRY_AFTER_SECONDS)}', "retry: dict[str, str] = {}"),),
        (f"{OUTAGES_SQLITE}::test_lock_of_another_program_gets_503_only_while_it_lasts",),
    ),
    Mutant(
        "no wait for another that prepares the database",
        "processes can begin together on a new database",
        SQLITE,
        (
            (
                "        _write_ahead(connection, statement_timeout_seconds)\n",
                '        connection.execute("PRAGMA journal_mode=WAL")\n',
            ),
        ),
        (
            "tests/database/test_sqlite.py::test_connection_waits_for_another_that_prepares_the_database",
        ),
    ),
    Mutant(
        "a worker that begins loses TERM",
        "TERM reaches every worker",
        "gunicorn.conf.py",
        (("    signal.signal(signal.SIGTERM, signal.SIG_DFL)\n", ""),),
        ("tests/test_gunicorn.py::test_a_worker_that_begins_hears_term[ours]",),
    ),
)
