"""Mutants of what a session guarantees: its scope, its ending, transactions, connections."""

from .mutant import ERROR_HANDLERS, OUTAGES_SQLITE, PACKAGE, SQLITE, Mutant

SCOPE = "tests/database/sessions/test_scope.py"
ENDING = "tests/database/sessions/test_ending.py"
TRANSACTIONS = "tests/database/sessions/test_transactions.py"
TRANSACTIONS_SQLITE = "tests/database/sessions/test_transactions_sqlite.py"
CONNECTIONS = "tests/database/sessions/test_connections.py"
CONCURRENCY = "tests/database/sessions/test_concurrency.py"
CONCURRENCY_SERVERS = "tests/database/sessions/test_concurrency_servers.py"
OUTAGES = "tests/database/sessions/test_outages.py"
DATABASE = f"{PACKAGE}/database/session.py"
ROUTES = "tests/support/probe/routes.py"
THE_CONTEXT = 'return cast("LocalProxy[AppContext]", app_ctx)._get_current_object()'
WEAK = "= weakref.WeakKeyDictionary()"

SESSION_MUTANTS = (
    # Scope
    Mutant(
        "session keyed by the address of the context",
        "a context never gets the session of one before",
        DATABASE,
        ((THE_CONTEXT, THE_CONTEXT.replace("return ", "return id(") + ")"), (WEAK, "= {}")),
        (f"{SCOPE}::test_context_without_teardown_passes_no_session_on",),
    ),
    Mutant(
        "session keyed by the thread",
        "a nested context has a session of its own; an async view shares that of its request",
        DATABASE,
        (
            (
                THE_CONTEXT,
                THE_CONTEXT.replace("return ", "") + "; return __import__('threading').get_ident()",
            ),
            (WEAK, "= {}"),
        ),
        (
            f"{SCOPE}::test_nested_context_has_a_session_of_its_own",
            f"{SCOPE}::test_async_view_shares_the_session_of_its_request",
            f"{SCOPE}::test_copied_context_has_a_session_of_its_own[greenlet]",
            f"{SCOPE}::test_nested_context_leaves_the_outer_transaction_open",
            f"{SCOPE}::test_rollback_in_a_nested_context_does_not_affect_the_outer_one",
            f"{SCOPE}::test_request_to_another_application_does_not_change_the_session",
        ),
    ),
    Mutant(
        "sessions held strongly",
        "a context that is never torn down keeps no session",
        DATABASE,
        ((WEAK, "= {}"),),
        (f"{SCOPE}::test_context_without_teardown_keeps_no_session",),
    ),
    Mutant(
        "a session for each call",
        "a context has one session",
        DATABASE,
        (
            (THE_CONTEXT, THE_CONTEXT.replace("return ", "") + "; return _Key()"),
            (
                "def _current_context() -> AppContext:",
                "class _Key: pass\n\n\ndef _current_context() -> AppContext:",
            ),
        ),
        (f"{SCOPE}::test_context_has_one_session",),
    ),
    Mutant(
        "one session for all contexts",
        "the next context has another session",
        DATABASE,
        (
            (
                'return self._state("db.session").sessionmaker()',
                'return self.__dict__.setdefault("one", self._state("db.session").sessionmaker())',
            ),
        ),
        (
            f"{SCOPE}::test_next_context_has_another_session",
            f"{SCOPE}::test_each_request_has_a_session_of_its_own",
            f"{SCOPE}::test_sessions_of_several_applications_use_their_own_engines",
        ),
    ),
    Mutant(
        "Flask's own words outside of a context",
        "outside of a context the error says what to do",
        DATABASE,
        (
            (
                'raise RuntimeError(OUTSIDE_A_CONTEXT.format(name="db.session")) from None',
                "raise",
            ),
        ),
        (f"{SCOPE}::test_use_outside_a_context_says_what_to_do[session()]",),
    ),
    Mutant(
        "request in the context around it",
        "a request inside a context has its own session and is torn down",
        DATABASE,
        (("app.wsgi_app = SeparateContextMiddleware(app)", "SeparateContextMiddleware(app)"),),
        (
            f"{SCOPE}::test_request_inside_a_context_is_torn_down[Flask's client]",
            f"{SCOPE}::test_request_inside_a_context_has_a_session_of_its_own[Flask's client]",
        ),
    ),
    Mutant(
        "sessions are not forgotten",
        "a context that ends keeps no session",
        DATABASE,
        (
            (
                "self._sessions.pop(_current_context(), None)",
                "self._sessions.get(_current_context(), None)",
            ),
            (WEAK, "= {}"),
        ),
        (
            f"{SCOPE}::test_ended_context_keeps_no_session",
            f"{SCOPE}::test_concurrent_asyncio_tasks_have_sessions_of_their_own",
            f"{ENDING}::test_committed_row_stays_and_nothing_else",
            f"{ENDING}::test_lost_connection_leaves_nothing",
            f"{ENDING}::test_unnoticed_loss_of_the_connection_does_not_change_the_response",
            f"{ENDING}::test_connection_lost_in_a_stream_is_returned",
            f"{TRANSACTIONS}::test_create_with_a_failing_commit_stores_nothing",
        ),
    ),
    Mutant(
        "stray session outside of a context",
        "outside of a context there is no session",
        DATABASE,
        (
            (
                "def _current_context() -> AppContext:",
                (
                    "class _Nowhere: pass\n\n\nNOWHERE = _Nowhere()\n\n\n"
                    "def _current_context() -> AppContext:"
                ),
            ),
            (
                'raise RuntimeError(OUTSIDE_A_CONTEXT.format(name="db.session")) from None',
                "return NOWHERE",
            ),
            ('return self._state("db.session").sessionmaker()', "return Session()"),
        ),
        (
            f"{SCOPE}::test_use_outside_a_context_leaves_no_stray_session",
            f"{SCOPE}::test_bare_thread_has_no_session",
        ),
    ),
    Mutant(
        "one engine for all applications",
        "each application has an engine of its own",
        DATABASE,
        (
            (
                "factory = orm.sessionmaker(engine, expire_on_commit=False)",
                (
                    'engine = self.__dict__.setdefault("one", engine)\n'
                    "        factory = orm.sessionmaker(engine, expire_on_commit=False)"
                ),
            ),
        ),
        (f"{SCOPE}::test_each_application_has_an_engine_of_its_own",),
    ),
    # Ending
    Mutant(
        "teardown dropped",
        "a stream gives its connection back, whole, left, unread or failed",
        DATABASE,
        (("            self._session.remove()\n", "            pass\n"),),
        (
            f"{SCOPE}::test_stream_can_use_the_session",
            f"{SCOPE}::test_abandoned_stream_returns_the_connection",
            f"{SCOPE}::test_unread_stream_returns_the_connection",
            f"{SCOPE}::test_failing_stream_returns_the_connection",
            f"{SCOPE}::test_stream_holds_no_connection_once_the_context_of_the_view_has_ended",
        ),
    ),
    Mutant(
        "teardown dropped (PostgreSQL)",
        "nothing is left after a request, however it ends, and the next one works",
        DATABASE,
        (("            self._session.remove()\n", "            pass\n"),),
        (
            f"{ENDING}::test_nothing_is_left_after[forgotten commit]",
            f"{ENDING}::test_nothing_is_left_after[SystemExit]",
            f"{ENDING}::test_next_request_works_after[forgotten commit]",
            f"{ENDING}::test_changes_after_the_commit_are_rolled_back",
            f"{SCOPE}::test_copied_context_is_torn_down[thread]",
            f"{SCOPE}::test_copied_context_is_torn_down[greenlet]",
            f"{SCOPE}::test_async_view_is_torn_down",
        ),
        database="postgresql",
    ),
    Mutant(
        "teardown skipped when another fails",
        "a failing teardown of an extension leaves nothing",
        DATABASE,
        (
            (
                "        finally:\n            self._session.remove()\n",
                (
                    "        except ZeroDivisionError:\n            pass\n"
                    "        self._session.remove()\n"
                ),
            ),
        ),
        (
            f"{ENDING}::test_failing_teardown_of_an_extension_leaves_nothing",
            f"{ENDING}::test_next_request_works_after_a_failing_teardown",
        ),
        database="postgresql",
    ),
    Mutant(
        "commit at the end of the context",
        "a forgotten commit leaves nothing",
        DATABASE,
        (("            session.rollback()\n", "            session.commit()\n"),),
        (
            f"{ENDING}::test_nothing_is_left_after[forgotten commit]",
            f"{TRANSACTIONS}::test_view_without_a_commit_stores_nothing",
            f"{TRANSACTIONS}::test_rolled_back_test_detects_a_missing_commit",
        ),
    ),
    Mutant(
        "failing rollback escapes",
        "a failing rollback does not change the response",
        DATABASE,
        (("        except Exception:\n", "        except ZeroDivisionError:\n"),),
        (f"{ENDING}::test_failing_rollback_at_the_end_returns_the_connection",),
    ),
    Mutant(
        "session not closed",
        "a failing rollback gives the connection back",
        DATABASE,
        (("            session.close()\n", "            pass\n"),),
        (f"{ENDING}::test_failing_rollback_at_the_end_returns_the_connection",),
        database="postgresql",
    ),
    Mutant(
        "lost connection is a defect",
        "a server that died in the request is a 503",
        SQLITE,
        (
            (
                "return error.connection_invalidated or error.statement is None",
                "return error.statement is None",
            ),
        ),
        (f"{ENDING}::test_connection_lost_in_a_request_gets_503",),
    ),
    Mutant(
        "session ended before the teardown of others",
        "the teardown of an extension can use the session",
        DATABASE,
        (
            (
                (
                    "            self._teardown(*context_and_error)\n"
                    "        finally:\n"
                    "            self._session.remove()\n"
                ),
                (
                    "            self._session.remove()\n"
                    "        finally:\n"
                    "            self._teardown(*context_and_error)\n"
                ),
            ),
        ),
        (f"{ENDING}::test_teardown_of_an_extension_can_use_the_session",),
    ),
    # Transactions
    Mutant(
        "failing commit is a defect",
        "a commit that fails for want of a server is a 503, and the next request works",
        ERROR_HANDLERS,
        (("    if is_outage(error):", "    if False:"),),
        (
            f"{TRANSACTIONS}::test_create_works_after_a_failed_commit",
            f"{TRANSACTIONS}::test_change_with_a_failing_commit_gets_503[patch]",
            f"{TRANSACTIONS}::test_change_with_a_failing_commit_gets_503[delete]",
        ),
    ),
    Mutant(
        "create without commit",
        "a create is stored",
        ROUTES,
        (("    session.commit()\n    return response\n", "    return response\n"),),
        (
            f"{TRANSACTIONS}::test_create_commits",
            "tests/web/contract/test_create.py::test_what_is_created_is_shown_and_stored",
        ),
    ),
    Mutant(
        "patch without commit",
        "a change is stored",
        ROUTES,
        (
            (
                "        setattr(row, name, value)\n    session.commit()\n",
                "        setattr(row, name, value)\n    session.flush()\n",
            ),
        ),
        (f"{TRANSACTIONS}::test_patch_commits",),
    ),
    Mutant(
        "delete without commit",
        "a delete is stored",
        ROUTES,
        (("    session.delete(row)\n    session.commit()\n", "    session.delete(row)\n"),),
        (f"{TRANSACTIONS}::test_delete_commits",),
    ),
    Mutant(
        "commit after the response is made",
        "a commit that fails is an error response",
        ROUTES,
        (
            (
                "    session.commit()\n    return response\n",
                (
                    "    from flask import after_this_request\n"
                    "    after_this_request(lambda given: session.commit() or given)\n"
                    "    return response\n"
                ),
            ),
        ),
        (f"{TRANSACTIONS}::test_create_with_a_failing_commit_gets_503",),
    ),
    Mutant(
        "errorhandler without rollback",
        "what follows a database error can use the session",
        ERROR_HANDLERS,
        (("    _roll_back()\n    if is_conflict(error):\n", "    if is_conflict(error):\n"),),
        (
            f"{TRANSACTIONS}::test_after_request_function_can_use_the_session_after_an_error[violate_by_flush]",
        ),
    ),
    Mutant(
        "rows expire at a commit",
        "nothing is asked after a commit",
        DATABASE,
        (("expire_on_commit=False", "expire_on_commit=True"),),
        (f"{TRANSACTIONS}::test_patch_takes_one_checkout_and_sends_nothing_after_its_commit",),
    ),
    Mutant(
        "create reads its row back",
        "a create is one checkout, one INSERT, one COMMIT",
        ROUTES,
        (
            (
                "    session.commit()\n    return response\n",
                "    session.commit()\n    session.get(Item, created.id)\n    return response\n",
            ),
        ),
        (f"{TRANSACTIONS}::test_create_takes_one_checkout_one_insert_and_one_commit",),
    ),
    Mutant(
        "constraint is a defect",
        "a constraint is a 409",
        ERROR_HANDLERS,
        (("    if is_conflict(error):\n", "    if False:\n"),),
        (
            f"{TRANSACTIONS_SQLITE}::test_create_that_violates_a_constraint_at_commit_gets_409",
            "tests/web/contract/test_create.py::test_a_code_that_is_taken_is_a_conflict",
        ),
    ),
    Mutant(
        "lost race is an error",
        "a unit of work that lost a race is done again",
        f"{PACKAGE}/database/transactions.py",
        (
            (
                "if isinstance(error, DBAPIError) and not is_retryable(error):",
                "if isinstance(error, DBAPIError):",
            ),
        ),
        ("tests/database/test_transactions.py::test_two_units_that_collide_both_succeed",),
    ),
    Mutant(
        "constraint is a defect (PostgreSQL)",
        "a constraint that is violated at COMMIT is a 409",
        ERROR_HANDLERS,
        (("    if is_conflict(error):\n", "    if False:\n"),),
        (
            "tests/database/sessions/test_transactions_postgresql.py::test_constraint_violated_at_commit_gets_409",
        ),
        database="postgresql",
    ),
    Mutant(
        "errorhandler of the application without rollback",
        "a database errorhandler can use the session once it rolled back",
        TRANSACTIONS,
        (("            db.session.rollback()\n            return", "            return"),),
        (f"{TRANSACTIONS}::test_custom_error_handler_can_use_the_session_after_a_rollback",),
    ),
    Mutant(
        "requests are not in the transaction of their test",
        "a rolled-back test sees what its requests commit",
        "tests/support/sessions.py",
        (
            (
                'factory.configure(bind=connection, join_transaction_mode="create_savepoint")',
                "pass",
            ),
        ),
        (f"{TRANSACTIONS}::test_rolled_back_test_sees_a_commit",),
    ),
    Mutant(
        "read asks twice",
        "a read is one checkout and one SELECT",
        "tests/support/probe/routes.py",
        (
            (
                "    if row is None:\n        raise NotFound",
                "    session.execute(select(1))\n    if row is None:\n        raise NotFound",
            ),
        ),
        (f"{TRANSACTIONS}::test_read_takes_one_checkout_and_one_select",),
    ),
    # Connections
    Mutant(
        "engine connects when it is made",
        "making an application takes no connection",
        DATABASE,
        (
            (
                "factory = orm.sessionmaker(engine, expire_on_commit=False)",
                (
                    "factory = orm.sessionmaker(engine, expire_on_commit=False)\n"
                    "        engine.connect().close()"
                ),
            ),
        ),
        (f"{CONNECTIONS}::test_making_an_application_takes_no_connection",),
    ),
    Mutant(
        "session connects when it is made",
        "a mere session takes no connection",
        DATABASE,
        (
            (
                'return self._state("db.session").sessionmaker()',
                (
                    'made = self._state("db.session").sessionmaker()\n'
                    "        return made.connection() and made"
                ),
            ),
        ),
        (f"{CONNECTIONS}::test_session_without_a_statement_takes_no_connection",),
    ),
    Mutant(
        "second connection in a test let through",
        "a second connection is rejected with a message that names the fix",
        "tests/support/sessions.py",
        (('event.listen(engine, "checkout", self._reject_connection)', "pass"),),
        (f"{CONNECTIONS}::test_error_for_a_second_connection_names_the_fixture_to_use",),
    ),
    Mutant(
        "query in /livez",
        "a request that never touches the database takes no connection",
        f"{PACKAGE}/web/health.py",
        (
            (
                'return jsonify(status="alive")',
                'db.session.connection()\n    return jsonify(status="alive")',
            ),
        ),
        (
            f"{CONNECTIONS}::test_request_that_needs_no_database_takes_no_connection[GET-/livez-200]",
        ),
    ),
    Mutant(
        "pool without a bound",
        "the pool has a connection for each thread and no more",
        DATABASE,
        (('"max_overflow": 0,', '"max_overflow": 10,'),),
        (
            f"{CONNECTIONS}::test_pool_has_a_connection_for_each_thread_and_no_more",
            f"{CONNECTIONS}::test_request_that_takes_two_connections_gets_503",
        ),
    ),
    Mutant(
        "pool waits as long as it likes",
        "an exhausted pool answers within its bound",
        DATABASE,
        (('"pool_timeout": settings.pool_timeout_seconds,', '"pool_timeout": 30.0,'),),
        (
            f"{CONNECTIONS}::test_the_pool_of_the_tests_has_one_connection",
            f"{OUTAGES}::test_exhausted_pool_gets_503_within_its_timeout",
        ),
    ),
    Mutant(
        "exhausted pool is a defect",
        "an exhausted pool answers 503",
        ERROR_HANDLERS,
        (("    app.register_error_handler(PoolTimeout, _pool_exhausted)\n", ""),),
        (
            f"{OUTAGES}::test_exhausted_pool_gets_503_within_its_timeout",
            f"{CONNECTIONS}::test_request_that_takes_two_connections_gets_503",
            f"{OUTAGES}::test_pool_recovers_after_it_was_exhausted",
        ),
    ),
    # Concurrency
    Mutant(
        "BEGIN for BEGIN IMMEDIATE",
        "sixteen writers lose nothing",
        SQLITE,
        (('"BEGIN IMMEDIATE"', '"BEGIN"'),),
        (f"{CONCURRENCY}::test_threads_lose_no_update",),
    ),
    Mutant(
        "no busy timeout",
        "sixteen writers lose nothing",
        SQLITE,
        (
            (
                'f"PRAGMA busy_timeout={round(statement_timeout_seconds * 1000)}"',
                '"PRAGMA busy_timeout=0"',
            ),
        ),
        (
            f"{CONCURRENCY}::test_threads_lose_no_update",
            f"{CONCURRENCY}::test_threads_lose_no_row",
        ),
    ),
    Mutant(
        "reads begin IMMEDIATE",
        "readers are not blocked by a writer",
        SQLITE,
        (('g.sqlite_begin = "DEFERRED"', 'g.sqlite_begin = "IMMEDIATE"'),),
        (
            f"{OUTAGES_SQLITE}::test_reads_work_while_another_program_holds_the_lock",
            f"{CONCURRENCY}::test_reader_is_not_blocked_by_a_writer",
        ),
    ),
    Mutant(
        "no write-ahead log",
        "a writer is not blocked by a reader",
        SQLITE,
        (('connection.execute("PRAGMA journal_mode=WAL")', "pass"),),
        (f"{CONCURRENCY}::test_writer_is_not_blocked_by_a_reader",),
    ),
    Mutant(
        "If-Match ignored",
        "of concurrent changes of one state one wins",
        ROUTES,
        (("    check_if_match(row, header)\n    for name", "    for name"),),
        (
            f"{CONCURRENCY}::test_one_of_many_concurrent_patches_wins",
            "tests/web/contract/test_patch.py::test_a_change_that_is_based_on_nothing_is_rejected",
        ),
    ),
    Mutant(
        "stale row is a defect",
        "of changes that read the same state one wins, the other gets 412",
        ERROR_HANDLERS,
        (("    app.register_error_handler(StaleDataError, _stale_data)\n", ""),),
        (
            f"{CONCURRENCY_SERVERS}::test_one_of_two_concurrent_patches_wins",
            f"{CONCURRENCY_SERVERS}::test_one_of_a_concurrent_patch_and_delete_wins",
        ),
        database="postgresql",
    ),
)
