"""Mutants of column types, models and migrations."""

from .mutant import MARIADB, PACKAGE, POSTGRESQL, SQLITE, Mutant

COLUMN_TYPES = f"{PACKAGE}/database/column_types.py"
WRITES_TYPES = "tests/database/test_column_types.py::test_a_type_is_written_as_a_migration_needs_it"

REVISIONS = f"{PACKAGE}/database/revisions.py"
STATES = "tests/database/test_revisions.py"
AUTHORING = "tests/database/test_authoring.py"
LOCKS = "tests/database/test_migration_locks.py"

SCHEMA_MUTANTS = (
    Mutant(
        "a page found by the first column only",
        "a page begins in the middle of rows with an equal value",
        SQLITE,
        (
            (
                "    return row < last if descending else row > last\n",
                (
                    "    if descending:\n"
                    "        return (columns[0] <= values[0]) & ~(row >= last)\n"
                    "    return (columns[0] >= values[0]) & ~(row <= last)\n"
                ),
            ),
        ),
        ("tests/database/test_sqlite.py::test_a_later_page_begins_in_the_middle_of_equal_values",),
    ),
    Mutant(
        "foreign keys off",
        "a row refers to rows that exist",
        SQLITE,
        (('        connection.execute("PRAGMA foreign_keys=ON")\n', ""),),
        ("tests/web/contract/test_create.py::test_a_parent_that_is_not_there_is_a_conflict",),
    ),
    Mutant(
        "stock DateTime (SQLite)",
        "instants come back with their offset",
        COLUMN_TYPES,
        (
            (
                "return instant.astimezone(UTC) if instant.tzinfo else instant.replace(tzinfo=UTC)",
                "return instant",
            ),
        ),
        ("tests/web/contract/test_create.py::test_instants_come_back_as_they_are",),
    ),
    Mutant(
        "stock DateTime (MariaDB)",
        "instants come back with their microseconds",
        COLUMN_TYPES,
        (("impl = DATETIME(fsp=6)", "impl = DATETIME()"),),
        (
            "tests/web/contract/test_create.py::test_instants_come_back_as_they_are[9999-12-31T23:59:59.999999Z]",
        ),
        database="mariadb",
    ),
    Mutant(
        "decimals as floats",
        "decimals of 18 digits come back equal",
        COLUMN_TYPES,
        (
            (
                "return Decimal(value).scaleb(-self.scale)",
                "return Decimal(str(float(value) / 10**self.scale))",
            ),
        ),
        ("tests/web/contract/test_create.py::test_the_largest_price_loses_no_digit",),
    ),
    Mutant(
        "decimals without their digits in new migrations",
        "a new migration names the types of a table as they are",
        COLUMN_TYPES,
        (('return f"ExactDecimal({self.precision}, {self.scale})"', "return super().__repr__()"),),
        (f"{WRITES_TYPES}[kind0-ExactDecimal(9, 2)]",),
    ),
    Mutant(
        "model column without a migration",
        "models and migrations agree",
        f"{PACKAGE}/resources/items/models.py",
        (
            (
                "    version: Mapped[int] = mapped_column(default=1)\n",
                (
                    "    version: Mapped[int] = mapped_column(default=1)\n"
                    "    colour: Mapped[int | None] = mapped_column()\n"
                ),
            ),
        ),
        ("tests/database/test_migrations.py::test_models_and_migrations_agree_in_a_fresh_process",),
    ),
    Mutant(
        "migrations without a lock (PostgreSQL)",
        "of replicas that start together one migrates",
        POSTGRESQL,
        (("SELECT pg_advisory_xact_lock(hashtext('alembic'))", "SELECT 1"),),
        ("tests/database/test_migrations.py::test_second_migration_waits_for_the_first",),
        database="postgresql",
    ),
    Mutant(
        "migrations without a lock (MariaDB)",
        "of replicas that start together one migrates",
        MARIADB,
        (
            (
                'f"SELECT GET_LOCK({name}, {MAX_MIGRATION_SECONDS})"',
                'f"SELECT {name}, {MAX_MIGRATION_SECONDS}"',
            ),
        ),
        ("tests/database/test_migrations.py::test_second_migration_waits_for_the_first",),
        database="mariadb",
    ),
    Mutant(
        "migrations with the limit for locks before their own lock (PostgreSQL)",
        "replicas wait for the migration of another longer than for any other lock",
        POSTGRESQL,
        (
            (
                '    try:\n        connection.execute(text("SELECT pg_advisory_xact_lock',
                (
                    '    try:\n        connection.execute(text("SET LOCAL lock_timeout = 100"))\n'
                    '        connection.execute(text("SELECT pg_advisory_xact_lock'
                ),
            ),
        ),
        (f"{LOCKS}::test_migrations_wait_for_each_other_longer_than_for_other_locks",),
        database="postgresql",
    ),
    Mutant(
        "migrations that do not give way",
        "a migration that cannot get its locks gives way and is retried",
        f"{PACKAGE}/database/migrations.py",
        (
            (
                "            if not is_retryable(error):\n                raise\n            log",
                "            if error:\n                raise\n            log",
            ),
        ),
        (
            "tests/database/test_migration_locks_servers.py::test_a_migration_gives_way_to_a_transaction_and_is_retried",
        ),
        database="postgresql",
    ),
    Mutant(
        "an interrupted migration from its beginning (MariaDB)",
        "an interrupted migration goes on where it stopped",
        f"{PACKAGE}/database/unfinished.py",
        (("            if done:\n                return True\n", ""),),
        ("tests/database/test_unfinished.py::test_an_interrupted_upgrade_goes_on[4]",),
        database="mariadb",
    ),
    Mutant(
        "a statement that was done and not recorded is an error (MariaDB)",
        "an interrupted migration goes on where it stopped",
        f"{PACKAGE}/database/unfinished.py",
        (("if not begun or error.args[0] not in DONE_ALREADY", "if error"),),
        (
            "tests/database/test_unfinished.py::test_a_statement_that_was_done_and_not_recorded_is_not_an_error[1]",
        ),
        database="mariadb",
    ),
    Mutant(
        "ids of revisions without their content",
        "two branches give two ids",
        f"{PACKAGE}/database/revision_ids.py",
        (('"\\n".join([*above, content])', '"\\n".join(above)'),),
        ("tests/database/test_revision_ids.py::test_two_branches_give_two_ids",),
    ),
    Mutant(
        "ready on a schema of another branch",
        "ready at the revision of the code or ahead of it, and on no other history",
        REVISIONS,
        (("known.head is not None and known.head not in applied", "not applied"),),
        (
            f"{STATES}::test_a_database_of_another_branch_is_not_ready",
            f"{STATES}::test_a_database_behind_the_code_is_not_ready",
        ),
    ),
    Mutant(
        "not ready on a schema that is ahead",
        "ready at the revision of the code or ahead of it, and on no other history",
        REVISIONS,
        (("    if breaking:\n", "    if newer:\n"),),
        (f"{STATES}::test_a_database_ahead_of_the_code_is_ready",),
    ),
    Mutant(
        "ready on a schema that breaks older code",
        "a migration can say that older code cannot run on it",
        REVISIONS,
        (("    if breaking:\n", "    if not known:\n"),),
        (f"{STATES}::test_a_database_ahead_that_breaks_older_code_is_not_ready",),
    ),
    Mutant(
        "revisions that are taken back stay recorded",
        "ready at the revision of the code or ahead of it, and on no other history",
        f"{PACKAGE}/migrations/env.py",
        (("    ctx.execute(delete(APPLIED).where(APPLIED.c.revision == name))\n    if", "    if"),),
        (f"{STATES}::test_all_applied_revisions_are_recorded",),
    ),
    Mutant(
        "CHECKs compared by name",
        "models and database are compared by everything that the database enforces",
        f"{PACKAGE}/database/comparison.py",
        (("if exist.get(name) == wanted.get(name):", "if (name in exist) == (name in wanted):"),),
        (
            f"{AUTHORING}::test_a_difference_is_named[content of a CHECK]",
            f"{AUTHORING}::test_a_difference_is_named[enum value]",
        ),
    ),
    Mutant(
        "primary keys not compared",
        "models and database are compared by everything that the database enforces",
        f"{PACKAGE}/database/comparison.py",
        (("    if present != wanted:\n        yield (", "    if not wanted:\n        yield ("),),
        (f"{AUTHORING}::test_a_difference_is_named[primary key]",),
    ),
    Mutant(
        "a required column without a value is written",
        "a migration that cannot run on rows that exist is not written",
        f"{PACKAGE}/database/writer.py",
        (("(self.notes if back else self.errors).append(", "self.notes.append("),),
        (f"{AUTHORING}::test_a_required_column_without_a_value_is_told",),
    ),
    Mutant(
        "a renamed column is dropped without a word",
        "a rename loses no data unnoticed",
        f"{PACKAGE}/database/writer.py",
        (("        if old not in self.wishes.drops:\n", "        if not old:\n"),),
        (f"{AUTHORING}::test_a_drop_beside_an_addition_is_told",),
    ),
    Mutant(
        "a comparison leaves the rename behind",
        "writing a migration changes nothing in the database",
        f"{PACKAGE}/database/writer.py",
        (("        for back in reversed(done):\n", "        for back in done[:0]:\n"),),
        (f"{AUTHORING}::test_a_rename_keeps_the_values",),
    ),
)
