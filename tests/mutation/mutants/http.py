"""Mutants of the HTTP contract."""

from .mutant import INNODB, PACKAGE, POSTGRESQL, SQLITE, Mutant

PAGINATION = f"{PACKAGE}/web/pagination.py"
IDEMPOTENCY = f"{PACKAGE}/web/idempotency.py"
REQUEST_IDS = f"{PACKAGE}/observability/request_ids.py"

HTTP_MUTANTS = (
    Mutant(
        "operation without what its headers mean",
        "the API document describes every operation",
        f"{PACKAGE}/web/openapi.py",
        (('" ".join([f"{own.rstrip(\'.\')}.", *added])', '" ".join(added)'),),
        ("tests/web/test_openapi.py::test_every_operation_and_tag_is_described",),
    ),
    Mutant(
        "document without servers",
        "the API document says whose it is and where it holds",
        f"{PACKAGE}/web/app.py",
        (('            servers=[Server(url="/")],  # of the host that serves the document\n', ""),),
        ("tests/web/test_openapi.py::test_the_document_says_whose_it_is_and_where_it_holds",),
    ),
    Mutant(
        "shell without models",
        "a shell knows the database and every model",
        f"{PACKAGE}/cli.py",
        (("{**models, ", "{"),),
        ("tests/test_cli.py::test_shell_knows_the_database_and_every_model",),
    ),
    Mutant(
        "page without a cap",
        "a page has at most 100 items",
        PAGINATION,
        (("ge=1, le=MAX_PAGE_SIZE,", "ge=1,"),),
        ("tests/web/contract/test_list.py::test_other_lengths_are_rejected[101]",),
    ),
    Mutant(
        "cursor not signed",
        "a cursor that was changed is rejected",
        PAGINATION,
        (
            (
                "if not compare_digest(cursor.encode(), _sign_cursor(position, query).encode()):",
                "if not position:",
            ),
        ),
        ("tests/web/contract/test_list.py::test_a_cursor_that_was_changed_is_rejected",),
    ),
    Mutant(
        "idempotency key ignored",
        "the same key gives the first response again",
        IDEMPOTENCY,
        (("    if key is None:\n        return Claim()\n", "    return Claim()\n"),),
        ("tests/web/test_idempotency.py::test_the_first_response_is_replayed",),
    ),
    Mutant(
        "idempotency key good for any body",
        "the same key with another body is rejected",
        IDEMPOTENCY,
        (("    if record.body_digest != body_digest:\n", "    if False:\n"),),
        ("tests/web/test_idempotency.py::test_a_different_body_is_rejected",),
    ),
    Mutant(
        "request id kept for the next request",
        "each request has an id of its own",
        REQUEST_IDS,
        (
            ("ids: RequestIds | None = environ.get(KEY)", 'ids = globals().get("LAST")'),
            ("ids = environ[KEY] = RequestIds(", 'ids = globals()["LAST"] = RequestIds('),
        ),
        ("tests/observability/test_request_ids.py::test_each_request_has_an_id_of_its_own",),
    ),
    Mutant(
        "empty file of a new worker fails the metrics of all",
        "a worker that has just begun to count hides no other",
        f"{PACKAGE}/observability/metrics.py",
        (('.glob("*.db") if _is_begun(file)]', '.glob("*.db")]'),),
        (
            "tests/observability/test_metrics.py::test_a_worker_that_has_just_begun_to_count_hides_no_other",
        ),
    ),
    *(
        Mutant(
            f"values of statements shown: {database}",
            "an error of the database tells no value of its statement",
            engine,
            (("hide_parameters=True,", "hide_parameters=False,"),),
            ("tests/web/test_problems.py::test_the_values_of_a_statement_are_not_logged",),
            database=database,
        )
        for database, engine in (
            ("sqlite", SQLITE),
            ("postgresql", POSTGRESQL),
            ("mariadb", INNODB),
        )
    ),
)
