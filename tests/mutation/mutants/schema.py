"""Mutants of column types, models and migrations."""

from .mutant import INNODB, MYSQL, PACKAGE, POSTGRESQL, SQLITE, Mutant

COLUMN_TYPES = f"{PACKAGE}/database/column_types.py"
WRITES_TYPES = "tests/database/test_column_types.py::test_a_type_is_written_as_a_migration_needs_it"

REVISIONS = f"{PACKAGE}/database/revisions.py"
STATES = "tests/database/test_revisions.py"
NOTES = f"{PACKAGE}/database/notes.py"
TESTS_OF_NOTES = "tests/database/test_notes.py"
AUTHORING = "tests/database/test_authoring.py"
LOCKS = "tests/database/test_migration_locks.py"
ARRANGEMENT = "tests/database/test_arrangement.py"
COMPARISON = f"{PACKAGE}/database/comparison.py"
KEEPS_VALUE = "test_a_number_keeps_its_value_when_its_type_changes"
CASTS = f"{PACKAGE}/database/casts_sqlite.py"
COPIES = f"{PACKAGE}/database/copies_sqlite.py"
TESTS_OF_COPIES = "tests/database/test_copies_sqlite.py"
TESTS_OF_CASTS = "tests/database/test_casts_sqlite.py"
STOPS = "test_a_value_that_does_not_fit_stops_the_migration"
STOPS_HERE = "test_a_value_that_does_not_fit_the_new_type_stops_the_migration"

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
        "timestamps come back with their offset",
        COLUMN_TYPES,
        (
            (
                "if timestamp.tzinfo else timestamp.replace(tzinfo=UTC)",
                "if timestamp.tzinfo else timestamp",
            ),
        ),
        ("tests/web/contract/test_create.py::test_timestamps_come_back_as_they_are",),
    ),
    Mutant(
        "stock DateTime (MariaDB)",
        "timestamps come back with their microseconds",
        COLUMN_TYPES,
        (("impl = DATETIME(fsp=6)", "impl = DATETIME()"),),
        (
            "tests/web/contract/test_create.py::test_timestamps_come_back_as_they_are[9999-12-31T23:59:59.999999Z]",
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
        INNODB,
        (
            (
                'f"{GET_LOCK}({LOCK_NAME}, {MAX_WAIT_SECONDS})"',
                'f"SELECT {LOCK_NAME}, {MAX_WAIT_SECONDS}"',
            ),
        ),
        ("tests/database/test_migrations.py::test_second_migration_waits_for_the_first",),
        database="mariadb",
    ),
    Mutant(
        "a lock named like its database (MySQL)",
        "a database of any name can be migrated",
        MYSQL,
        (("\"SHA2(CONCAT(DATABASE(), '.alembic'), 256)\"", "\"CONCAT(DATABASE(), '.alembic')\""),),
        (
            "tests/database/test_mysql.py::test_the_lock_of_a_database_with_the_longest_name_is_free",
        ),
        database="mysql",
    ),
    Mutant(
        "strings compare without trailing spaces (MySQL)",
        "strings compare character by character",
        COLUMN_TYPES,
        (('"utf8mb4_0900_bin"', '"utf8mb4_bin"'),),
        ("tests/database/test_mysql.py::test_strings_compare_exactly_and_numbers_in_json_stay",),
        database="mysql",
    ),
    Mutant(
        "a column renamed without its CHECKs (MySQL)",
        "a column is renamed with the CHECKs that use it",
        f"{PACKAGE}/database/catalog_innodb.py",
        (("    if not before:\n", "    if before is not None:\n"),),
        (
            "tests/database/test_mysql.py::test_a_column_is_renamed_there_and_back_with_the_checks_that_use_it[with]",
        ),
        database="mysql",
    ),
    Mutant(
        "a text rounded to an integer (MySQL)",
        "a value that does not fit the new type of its column stops the migration",
        f"{PACKAGE}/database/catalog_innodb.py",
        (("    return [ops.ExecuteSQLOp(cast), operation]\n", "    return [operation]\n"),),
        (
            f"{AUTHORING}::test_a_value_that_does_not_fit_the_new_type_stops_the_migration[old0-new0-7.5]",
        ),
        database="mysql",
    ),
    Mutant(
        "a temporary table reported as it is (MySQL)",
        "what is equal is not reported as a difference",
        MYSQL,
        ((' if word not in ("NULL", EXPRESSION)', ""),),
        (f"{AUTHORING}::test_a_difference_is_named[NOT NULL]",),
        database="mysql",
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
        (("head is not None and head not in applied", "not applied"),),
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
        (f"{AUTHORING}::test_a_required_column_without_a_value_is_reported",),
    ),
    Mutant(
        "a renamed column is dropped without a word",
        "a rename loses no data unnoticed",
        f"{PACKAGE}/database/writer.py",
        (("        if old not in self.wishes.drops:\n", "        if not old:\n"),),
        (f"{AUTHORING}::test_a_drop_beside_an_addition_is_reported",),
    ),
    Mutant(
        "a comparison leaves the rename behind",
        "writing a migration changes nothing in the database",
        f"{PACKAGE}/database/writer.py",
        (("        for back in reversed(done):\n", "        for back in done[:0]:\n"),),
        (f"{AUTHORING}::test_a_rename_keeps_the_values",),
    ),
    Mutant(
        "types not compared",
        "models and database are compared by everything that the database enforces",
        COMPARISON,
        (
            (
                "return present.columns[model.name].type != wanted.columns[model.name].type",
                "return not (present and wanted)",
            ),
        ),
        (f"{AUTHORING}::test_a_difference_is_named[length]",),
    ),
    Mutant(
        "server defaults not compared",
        "models and database are compared by everything that the database enforces",
        COMPARISON,
        (
            (
                "return present.columns[model.name].default != wanted.columns[model.name].default",
                "return not (present and wanted)",
            ),
        ),
        (f"{AUTHORING}::test_a_difference_is_named[server default]",),
    ),
    Mutant(
        "views not named as not compared",
        "what is not compared is named",
        COMPARISON,
        (('            *(f"view {name}" for name in inspector.get_view_names()),\n', ""),),
        (f"{AUTHORING}::test_what_is_not_compared_is_named",),
    ),
    Mutant(
        "places of decimals not compared (SQLite)",
        "models and database are compared by everything that the database enforces",
        COLUMN_TYPES,
        (('f"{SCALED_INTEGER}({kind.precision}, {kind.scale})"', '"BIGINT"'),),
        (f"{AUTHORING}::{KEEPS_VALUE}[old0-new0-before0-after0]",),
    ),
    Mutant(
        "decimals stored as they were when their places change (SQLite)",
        "rows keep their values when the type of a column changes",
        CASTS,
        (
            (
                "            return [operation, _update(table, column, scaled)]",
                "            return [operation]",
            ),
        ),
        (
            f"{AUTHORING}::{KEEPS_VALUE}[old0-new0-before0-after0]",
            f"{TESTS_OF_CASTS}::test_a_value_that_fits_is_kept[old7-new7--125--13]",
        ),
    ),
    Mutant(
        "texts that are no numbers cast (SQLite)",
        "a value that does not fit a new type stops the migration",
        CASTS,
        (
            (
                "return [*_guard(operation, dialect, fits), scale, operation]",
                "return [scale, operation]",
            ),
        ),
        (f"{TESTS_OF_CASTS}::{STOPS}[old6-new6-nonsense]",),
    ),
    Mutant(
        "texts that are no integers cast (SQLite)",
        "a value that does not fit a new type stops the migration",
        CASTS,
        (
            (
                'return [*_guard(operation, dialect, _is_json(column, "integer")), operation]',
                "return [operation]",
            ),
        ),
        (
            f"{TESTS_OF_CASTS}::{STOPS}[old0-new0-nonsense]",
            f"{AUTHORING}::{STOPS_HERE}[old0-new0-7.5]",
        ),
    ),
    Mutant(
        "types whose values are lost are cast (SQLite)",
        "a value that does not fit a new type stops the migration",
        CASTS,
        (
            (
                "    raise MigrationError(NOT_CAST",
                "    if column:\n        return [operation]\n    raise MigrationError(NOT_CAST",
            ),
        ),
        (f"{AUTHORING}::test_a_change_of_type_that_would_lose_values_is_not_written",),
    ),
    Mutant(
        "long texts cut (PostgreSQL)",
        "a value that does not fit a new type stops the migration",
        f"{PACKAGE}/database/catalog_postgresql.py",
        (('using = "" if is_text else', 'using = "" if not is_text else'),),
        (f"{AUTHORING}::{STOPS_HERE}[old2-new2-nonsense]",),
        database="postgresql",
    ),
    Mutant(
        "rounding not reported",
        "what the values of rows lose in a new type is reported",
        NOTES,
        (("and before > after:", "and before < after:"),),
        (f"{AUTHORING}::test_what_the_values_lose_is_reported[old0-new0-gets fewer places]",),
    ),
    Mutant(
        "rows that a unique key stops at are not named",
        "rows that can stop a migration are named when it is written",
        NOTES,
        (("    if was_unique or", "    if columns or"),),
        (f"{TESTS_OF_NOTES}::test_rows_that_can_stop_a_migration_are_named[unique key]",),
    ),
    Mutant(
        "other enum values taken for more",
        "rows that can stop a migration are named when it is written",
        NOTES,
        (("before <= after for", "True for"),),
        (f"{TESTS_OF_NOTES}::test_rows_that_can_stop_a_migration_are_named[other enum values]",),
        database="postgresql",
    ),
    Mutant(
        "more enum values reported as a danger",
        "a change that no row can stop has no note",
        NOTES,
        (("before == after or is_wider(before, after)", "before == after"),),
        (f"{TESTS_OF_NOTES}::test_one_more_enum_value_can_stop_the_way_back_only",),
        database="mariadb",
    ),
    Mutant(
        "a table that is changed loses triggers and indexes of expressions (SQLite)",
        "a change of a table keeps what was written by hand",
        COPIES,
        (("for row in self.connection.execute(text(LOST), named)", "for row in ()"),),
        (f"{TESTS_OF_COPIES}::test_indexes_of_expressions_and_triggers_outlive_a_change",),
    ),
    Mutant(
        "a table that a view names cannot be changed (SQLite)",
        "a change of a table keeps what was written by hand",
        COPIES,
        (("legacy_alter_table=ON", "legacy_alter_table=OFF"),),
        (f"{TESTS_OF_COPIES}::test_a_table_that_a_view_names_can_be_changed",),
    ),
    Mutant(
        "a generated column is copied as if it took values (SQLite)",
        "a generated column does not keep other changes from being written",
        COPIES,
        (("if column.computed is not None:", "if column.computed is None and False:"),),
        (f"{AUTHORING}::test_a_generated_column_does_not_keep_other_changes_from_being_written",),
    ),
    Mutant(
        "times of the database without microseconds (SQLite)",
        "a time that the database sets is found by its value",
        f"{PACKAGE}/database/column_types.py",
        (("%f000', 'now'", "%S', 'now'"),),
        ("tests/database/test_column_types.py::test_a_time_of_the_database_is_found_by_its_value",),
    ),
    Mutant(
        "a missing index of an expression is not seen (SQLite)",
        "a migration is written for each index of the models",
        f"{PACKAGE}/database/comparison.py",
        (("if not of_columns and index.name not in names:", "if of_columns and not names:"),),
        (f"{TESTS_OF_COPIES}::test_an_index_of_an_expression_that_is_missing_is_written",),
    ),
    Mutant(
        "a CHECK with another name reported as a danger",
        "a change that no row can stop has no note",
        NOTES,
        (("before == after or is_wider(before, after)", "is_wider(before, after)"),),
        (f"{TESTS_OF_NOTES}::test_a_check_with_another_name_alone_has_no_note[column and CHECK]",),
    ),
    Mutant(
        "a column changes its type and becomes required at once (MariaDB)",
        "a migration that cannot run on rows that exist is not written",
        f"{PACKAGE}/database/arrangement.py",
        (("operation.modify_type is None or operation.modify_nullable is not False", "operation"),),
        (
            f"{AUTHORING}::test_a_column_that_changes_its_type_and_becomes_required_gets_a_value_of_the_new_type",
        ),
        database="mariadb",
    ),
    Mutant(
        "an index is built anew for its name (PostgreSQL)",
        "an index is renamed where the engine can",
        f"{PACKAGE}/database/arrangement.py",
        (("        if sql and created[new].name", "        if not sql and created[new].name"),),
        (f"{AUTHORING}::test_an_index_with_another_name_is_renamed[<lambda>0]",),
        database="postgresql",
    ),
    Mutant(
        "a foreign key keeps the index that goes (MariaDB)",
        "a generated migration runs on its engine",
        f"{PACKAGE}/database/arrangement.py",
        (
            (
                "        if key.column_keys[0] in indexed and key.name not in dropped:\n",
                "        if not key:\n",
            ),
        ),
        (f"{ARRANGEMENT}::test_a_foreign_key_whose_index_goes_is_made_anew",),
        database="mariadb",
    ),
    Mutant(
        "columns go before what refers to them",
        "a generated migration runs on its engine",
        f"{PACKAGE}/database/arrangement.py",
        (("        case ops.DropColumnOp():\n            return 6\n", ""),),
        (f"{ARRANGEMENT}::test_what_refers_to_a_column_goes_before_it_and_comes_after_it",),
    ),
    Mutant(
        "an error with the values of rows (MariaDB)",
        "an error of a migration tells no value of a row",
        f"{PACKAGE}/database/statement_errors.py",
        (("if not is_conflict(error) and not isinstance(error, DataError):", "if error:"),),
        (f"{AUTHORING}::test_rows_that_do_not_fit_are_reported_without_their_values[unique key]",),
        database="mariadb",
    ),
    Mutant(
        "a missing migration looks like a branch",
        "each state of database and history is one sentence",
        REVISIONS,
        (("            if parent not in parents:\n", "            if not parent:\n"),),
        (f"{STATES}::test_a_missing_migration_is_one_sentence[command0]",),
    ),
    Mutant(
        "of two files of one revision one is taken",
        "each state of database and history is one sentence",
        REVISIONS,
        (("        if revision in files:\n", "        if not revision:\n"),),
        (f"{STATES}::test_two_files_of_one_revision_are_one_sentence[command0]",),
    ),
    Mutant(
        "an error of the probe for a broken history",
        "ready at the revision of the code or ahead of it, and on no other history",
        REVISIONS,
        (("        return SchemaStatus(False, str(error))\n", "        raise error\n"),),
        (f"{STATES}::test_a_service_with_a_broken_history_is_not_ready[parents0]",),
    ),
    Mutant(
        "an interrupted migration goes unnoticed (MariaDB)",
        "each state of database and history is one sentence",
        f"{PACKAGE}/database/unfinished.py",
        (("not steps or _is_over(steps[0], applied)", "steps or applied"),),
        (
            "tests/database/test_unfinished.py::test_each_command_tells_that_a_migration_was_interrupted",
        ),
        database="mariadb",
    ),
    Mutant(
        "an older release cannot start on a schema that is ahead",
        "ready at the revision of the code or ahead of it, and on no other history",
        f"{PACKAGE}/database/migrations.py",
        (("    if goal not in revisions.applied_revisions(connection):\n", "    if goal:\n"),),
        (f"{STATES}::test_upgrade_leaves_a_database_alone_that_is_ahead",),
    ),
    Mutant(
        "one transaction for all migrations",
        "each migration has a transaction of its own",
        f"{PACKAGE}/database/migrations.py",
        (("locked=True), missing[0])\n        else", "locked=True), missing[-1])\n        else"),),
        (f"{STATES}::test_each_revision_has_a_transaction_of_its_own",),
    ),
    Mutant(
        "a migration tried more often than it says",
        "a migration that cannot get its locks is retried a bounded number of times",
        f"{PACKAGE}/database/migrations.py",
        (("in range(1, ATTEMPTS + 1):", "in range(1, ATTEMPTS + 2):"),),
        (f"{LOCKS}::test_a_migration_is_not_retried_for_ever",),
    ),
    Mutant(
        "a script for revisions that are not there",
        "each state of database and history is one sentence",
        f"{PACKAGE}/database/migrations.py",
        (('resolve(newest or "head")]', "newest]"),),
        (f"{STATES}::test_two_newest_revisions_are_one_sentence[command3]",),
    ),
)
