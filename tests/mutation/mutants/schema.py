"""Mutants of column types, models and migrations."""

from .mutant import MARIADB, PACKAGE, POSTGRESQL, SQLITE, Mutant

COLUMN_TYPES = f"{PACKAGE}/database/column_types.py"

SCHEMA_MUTANTS = (
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
        ("tests/database/test_column_types.py::test_migrations_write_a_type_as_it_is",),
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
                    "    colour: Mapped[str | None] = mapped_column(text(20))\n"
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
)
