"""Mutants of the HTTP contract."""

from .mutant import MARIADB, PACKAGE, POSTGRESQL, SQLITE, Mutant

PAGINATION = f"{PACKAGE}/web/pagination.py"
IDEMPOTENCY = f"{PACKAGE}/web/idempotency.py"
REQUEST_IDS = f"{PACKAGE}/observability/request_ids.py"

HTTP_MUTANTS = (
    Mutant(
        "page without a cap",
        "a page has at most 100 items",
        PAGINATION,
        (("ge=1, le=MAX_PAGE_SIZE,", "ge=1,"),),
        ("tests/web/contract/test_list.py::test_other_lengths_are_refused[101]",),
    ),
    Mutant(
        "cursor not signed",
        "a cursor that was changed is refused",
        PAGINATION,
        (
            (
                "if not compare_digest(cursor.encode(), _sign_cursor(position, query).encode()):",
                "if not position:",
            ),
        ),
        ("tests/web/contract/test_list.py::test_a_cursor_that_was_changed_is_refused",),
    ),
    Mutant(
        "idempotency key ignored",
        "the same key gives the first answer again",
        IDEMPOTENCY,
        (("    if key is None:\n        return Claim()\n", "    return Claim()\n"),),
        ("tests/web/test_idempotency.py::test_the_first_response_is_replayed",),
    ),
    Mutant(
        "idempotency key good for any body",
        "the same key with another body is refused",
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
            f"values of statements told: {database}",
            "an error of the database tells no value of its statement",
            engine,
            (("hide_parameters=True,", "hide_parameters=False,"),),
            ("tests/web/test_problems.py::test_the_values_of_a_statement_are_not_logged",),
            database=database,
        )
        for database, engine in (
            ("sqlite", SQLITE),
            ("postgresql", POSTGRESQL),
            ("mariadb", MARIADB),
        )
    ),
)
