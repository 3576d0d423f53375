"""Mutants of what holds in hard conditions: failing logs, hanging servers, hostile callers."""

from .mutant import MYSQL, OUTAGES_SQLITE, PACKAGE, POSTGRESQL, SQLITE, Mutant

OBSERVABILITY = f"{PACKAGE}/observability"
STANDARD_ERROR = f"{OBSERVABILITY}/standard_error.py"
SECURITY = f"{PACKAGE}/web/security.py"
VALIDATION = f"{PACKAGE}/web/validation.py"
OIDC = f"{PACKAGE}/auth/oidc.py"
LOG_TESTS = "tests/observability/test_standard_error.py"
GUNICORN_TESTS = "tests/test_gunicorn.py"
METRICS_TESTS = "tests/observability/test_metrics.py"
PATTERN_TESTS = "tests/observability/test_patterns.py"
SECRETS = "my_service.observability.logs.SECRETS_IN_TEXT[1]"
PROBLEM_TESTS = "tests/web/test_problems.py"
SETTINGS_TESTS = "tests/test_settings.py"
SECURITY_TESTS = "tests/web/test_security.py"
OIDC_TESTS = "tests/auth/test_oidc.py"
CONCURRENCY_SERVERS = "tests/database/sessions/test_concurrency_servers.py"
OUTAGES_SERVERS = "tests/database/sessions/test_outages_servers.py"
WITH_KEYS = (("auth", "api_key"),)
WITH_OIDC = (("auth", "oidc"),)

CONDITION_MUTANTS = (
    Mutant(
        "a log that fails ends the response",
        "a log that cannot be written costs lines, never a response",
        STANDARD_ERROR,
        (("except (OSError, ValueError):  # ValueError:", "except ZeroDivisionError:  #"),),
        (
            f"{LOG_TESTS}::test_a_closed_stream_costs_no_response",
            f"{LOG_TESTS}::test_a_reader_that_has_ended_costs_no_response",
        ),
    ),
    Mutant(
        "lost log lines not counted",
        "lines that are lost are counted",
        STANDARD_ERROR,
        (("            self.count_lost_line()\n", "            pass\n"),),
        (f"{LOG_TESTS}::test_a_closed_stream_costs_no_response",),
    ),
    Mutant(
        "each line waits for a reader that is stuck",
        "while the reader of the log is stuck, one line waits",
        STANDARD_ERROR,
        (("0.0 if self._is_stuck else MAX_WAIT_SECONDS", "MAX_WAIT_SECONDS"),),
        (f"{LOG_TESTS}::test_a_reader_that_is_stuck_costs_one_wait",),
    ),
    Mutant(
        "workers count in files without space",
        "a full file system costs metrics, never a worker",
        f"{OBSERVABILITY}/metrics.py",
        (("values.MmapedDict = AllocatedFile  # type: ignore[attr-defined]\n", ""),),
        (f"{GUNICORN_TESTS}::test_the_files_of_metrics_have_their_space",),
    ),
    Mutant(
        "files of metrics grow without space",
        "a full file system costs metrics, never a worker",
        f"{OBSERVABILITY}/metrics.py",
        (("        _take_space(self._f.fileno(), size)\n", ""),),
        (
            f"{METRICS_TESTS}::test_a_file_of_metrics_takes_its_space_before_it_is_mapped",
            f"{METRICS_TESTS}::test_a_full_file_system_costs_new_counters_only",
        ),
    ),
    Mutant(
        "a line after one that was cut off is glued to it",
        "a line that cannot be written spoils no other",
        STANDARD_ERROR,
        (('            text = "\\n" + text\n', "            pass\n"),),
        (
            f"{LOG_TESTS}::test_a_line_that_was_cut_off_is_a_line_of_its_own[400]",
            f"{LOG_TESTS}::test_a_line_that_was_cut_off_is_a_line_of_its_own[1000]",
        ),
    ),
    Mutant(
        "a failing hook ends the response",
        "a hook that fails costs what it would have done",
        f"{OBSERVABILITY}/response_hooks.py",
        (("except Exception:", "except ZeroDivisionError:"),),
        (f"{LOG_TESTS}::test_a_hook_that_fails_costs_no_response",),
    ),
    Mutant(
        "secrets found in quadratic time",
        "no text of a caller costs more than linear time",
        f"{OBSERVABILITY}/logs.py",
        (
            (r"[\w-]++['\"]?+\s*+[=:]", r"[\w-]*['\"]?\s*[=:]"),
            (r"((?<![\w-])(?=[\w-]*?(?:{NAMES}))", r"((?<![\w-])[\w-]*(?:{NAMES})"),
        ),
        (f"{PATTERN_TESTS}::test_a_pattern_takes_linear_time[{SECRETS}]",),
    ),
    Mutant(
        "metrics of workers that are gone lost",
        "the counts of workers that are gone stay",
        f"{OBSERVABILITY}/metrics.py",
        (
            (
                "            for file in [total, *files] if total.exists() else files:",
                "            for file in files:",
            ),
        ),
        (f"{METRICS_TESTS}::test_the_files_of_workers_that_are_gone_become_one",),
    ),
    Mutant(
        "alive without a heartbeat",
        "the management port tells stopped workers",
        f"{PACKAGE}/web/health.py",
        (("last > 0 and time.monotonic() - last < MAX_HEARTBEAT_AGE_SECONDS", "True"),),
        ("tests/web/test_management.py::test_without_a_worker_the_service_is_not_alive",),
    ),
    Mutant(
        "no limit on this side (PostgreSQL)",
        "a server that hangs is a 503",
        POSTGRESQL,
        (
            (
                "return super().wait(gen, interval, timeout or self.time_limit)",
                "return super().wait(gen, interval, timeout or 20)",
            ),
        ),
        (f"{OUTAGES_SERVERS}::test_a_statement_ends_when_its_server_hangs",),
        database="postgresql",
    ),
    Mutant(
        "connection of a statement that still runs kept (PostgreSQL)",
        "a connection whose statement was given up is closed",
        POSTGRESQL,
        (
            (
                "                self.close()  # the statement",
                "                pass  # the statement",
            ),
        ),
        (f"{OUTAGES_SERVERS}::test_a_statement_ends_when_its_server_hangs",),
        database="postgresql",
    ),
    Mutant(
        "no limit on this side (MariaDB)",
        "a server that hangs is a 503",
        f"{PACKAGE}/database/innodb_connection.py",
        (
            (
                "        self._read_timeout = self._write_timeout = seconds\n",
                "        self._read_timeout = self._write_timeout = 20\n",
            ),
        ),
        (f"{OUTAGES_SERVERS}::test_a_statement_ends_when_its_server_hangs",),
        database="mariadb",
    ),
    Mutant(
        "a statement that writes goes on (MySQL)",
        "a statement that takes too long ends on the server",
        MYSQL,
        (("                self._kill_statement()\n", "                pass\n"),),
        ("tests/database/test_mysql.py::test_a_statement_that_writes_for_too_long_is_killed",),
        database="mysql",
    ),
    Mutant(
        "locks without a limit (MySQL)",
        "a statement that waits for a lock ends",
        MYSQL,
        ((" innodb_lock_wait_timeout = {whole}, lock", " lock"),),
        ("tests/database/test_mysql.py::test_a_limit_is_never_none[15-15000-15]",),
        database="mysql",
    ),
    Mutant(
        "write lock before the caller is known",
        "an unknown caller does not wait for the write lock",
        SQLITE,
        (
            (
                '        g.sqlite_begin = "DEFERRED"\n',
                '        g.sqlite_begin = "DEFERRED" if request.method == "GET" else "IMMEDIATE"\n',
            ),
        ),
        ("tests/auth/test_api_keys.py::test_an_unknown_key_does_not_wait_for_the_write_lock",),
        options=WITH_KEYS,
    ),
    Mutant(
        "each writer waits behind one that waited in vain (SQLite)",
        "more callers than threads do not wait one after the other for a lock",
        SQLITE,
        (("HangGuard(_begin_immediate)", "_begin_immediate"),),
        (f"{OUTAGES_SQLITE}::test_a_writer_does_not_wait_after_one_that_waited_in_vain",),
    ),
    Mutant(
        "SQLite's lock waited for without the limit",
        "a write waits for the lock for the statement limit",
        SQLITE,
        (
            (
                'f"PRAGMA busy_timeout={round(statement_timeout_seconds * 1000)}"',
                '"PRAGMA busy_timeout=30000"',
            ),
        ),
        ("tests/database/test_sqlite.py::test_connections_are_prepared",),
    ),
    Mutant(
        "errors without a bound",
        "a response lists the first hundred errors",
        VALIDATION,
        (
            ("islice(errors, MAX_ERRORS)", "errors"),
            (
                "    if _has_too_many_members(body, model):\n        unknown",
                "    if False:\n        unknown",
            ),
        ),
        (f"{PROBLEM_TESTS}::test_a_response_lists_a_hundred_errors",),
    ),
    Mutant(
        "errors of any length",
        "a response to a bad request is at most 64 KiB long",
        VALIDATION,
        (("        if length > MAX_ERRORS_LENGTH:\n", "        if False:\n"),),
        (f"{PROBLEM_TESTS}::test_a_response_lists_the_first_errors_only[name1]",),
    ),
    Mutant(
        "half a body is stored",
        "nothing is stored from half a body",
        VALIDATION,
        (("len(body) != request.content_length:", "False:"),),
        (f"{PROBLEM_TESTS}::test_a_body_shorter_than_its_length_is_400_and_not_stored",),
    ),
    Mutant(
        "file of any size",
        "a body of any media type is read within MAX_BODY_BYTES",
        VALIDATION,
        (('    if len(body) >= current_app.config["MAX_CONTENT_LENGTH"]:\n', "    if False:\n"),),
        ("tests/web/test_validation.py::test_a_body_of_any_media_type_is_read_within_the_limit",),
    ),
    Mutant(
        "later version on the path of the first",
        "a later version of a resource has a path of its own",
        f"{PACKAGE}/web/blueprints.py",
        (('f"/api/v{version}/{name}"', 'f"/api/v1/{name}"'),),
        ("tests/web/test_openapi.py::test_a_later_version_has_a_path_and_names_of_its_own",),
    ),
    Mutant(
        "badly chunked body is a defect",
        "a body that cannot be read is 400",
        VALIDATION,
        (("    except Exception:  # each server", "    except ZeroDivisionError:  # each server"),),
        (f"{PROBLEM_TESTS}::test_a_body_that_cannot_be_read_is_400",),
    ),
    Mutant(
        "JSON in any encoding",
        "JSON is UTF-8",
        f"{PACKAGE}/web/app.py",
        (("        if isinstance(s, bytes):\n", "        if False:\n"),),
        (f"{PROBLEM_TESTS}::test_a_body_in_another_encoding_is_400",),
    ),
    Mutant(
        "redirect to the host that a caller sent",
        "a redirect of the router names no host",
        f"{PACKAGE}/web/app.py",
        (("if isinstance(error, RequestRedirect):", "if False:"),),
        (f"{SECURITY_TESTS}::test_a_redirect_of_the_router_names_no_host",),
    ),
    Mutant(
        "options of the URL not checked",
        "an option that the service overrides is rejected at the start",
        f"{PACKAGE}/base_settings.py",
        (("        if name not in URL_OPTIONS:\n", "        if False:\n"),),
        (f"{SETTINGS_TESTS}::test_an_unknown_option_of_a_database_url_is_reported",),
    ),
    Mutant(
        "an address that cannot be listened on",
        "an address that cannot be used ends the start with a sentence",
        f"{PACKAGE}/base_settings.py",
        (("if parts is None or int(parts[1] or 0) > MAX_PORT:", "if parts is None:"),),
        (f"{SETTINGS_TESTS}::test_an_address_that_cannot_be_listened_on_is_reported[port]",),
    ),
    Mutant(
        "migrations through the pooler",
        "migrations use the URL that is theirs",
        f"{PACKAGE}/base_settings.py",
        (
            (
                "(self.migration_database_url or self.database_url).get_secret_value()",
                "self.database_url.get_secret_value()",
            ),
        ),
        (f"{SETTINGS_TESTS}::test_migrations_may_have_a_url_of_their_own",),
        database="postgresql",
    ),
    Mutant(
        "a management process that is gone stays away",
        "the management port is served as long as the service is",
        "gunicorn.conf.py",
        (("        server.revive_management(server)  # by", "        # by"),),
        (
            f"{GUNICORN_TESTS}::test_a_management_process_that_is_killed_comes_back",
            f"{GUNICORN_TESTS}::test_a_management_port_that_is_taken_meanwhile_costs_metrics_only",
        ),
    ),
    Mutant(
        "probes by the settings of the start",
        "a reload reaches the management process",
        "gunicorn.conf.py",
        (
            (
                "        management.stop(server.management)\n    server.revive",
                "        return\n    server.revive",
            ),
        ),
        (f"{GUNICORN_TESTS}::test_a_reload_reaches_the_management_process",),
    ),
    Mutant(
        "a wrong setting ends the service at a reload",
        "a reload with a wrong setting changes nothing",
        "gunicorn.conf.py",
        (
            (
                "        except SystemExit as error:\n",
                "        except ZeroDivisionError as error:\n",
            ),
        ),
        (
            f"{GUNICORN_TESTS}::test_a_reload_with_a_wrong_setting_changes_nothing[value]",
            f"{GUNICORN_TESTS}::test_a_reload_with_a_wrong_setting_changes_nothing[bytes]",
        ),
    ),
    Mutant(
        "a limit of nothing",
        "no setting switches the limit of statements off",
        f"{PACKAGE}/base_settings.py",
        (
            (
                "statement_timeout_seconds: float = Field(default=15.0, ge=0.001, le=3600)",
                "statement_timeout_seconds: float = Field(default=15.0, gt=0, le=3600)",
            ),
        ),
        (
            f"{SETTINGS_TESTS}::test_a_limit_of_less_than_a_millisecond_is_reported[statement_timeout_seconds]",
        ),
    ),
    Mutant(
        "a change of any version loses a race",
        "a change of any version is made, whatever else is changed meanwhile",
        f"{PACKAGE}/web/etags.py",
        (("    if tags.star_tag:", "    if False:"),),
        (
            f"{CONCURRENCY_SERVERS}::test_concurrent_patches_of_any_version_are_all_made",
            f"{CONCURRENCY_SERVERS}::test_a_row_of_any_version_that_is_deleted_meanwhile_is_gone",
        ),
        database="postgresql",
    ),
    Mutant(
        "workers without heartbeats",
        "an option of gunicorn with which nothing works is rejected",
        "gunicorn.conf.py",
        (("    if not issubclass(server.cfg.worker_class, worker_class):", "    if False:"),),
        ("tests/test_gunicorn.py::test_an_option_with_which_nothing_works_is_rejected[class]",),
    ),
    Mutant(
        "a claim that lost a race is given up",
        "equal idempotency keys on a conflict are answered alike",
        f"{PACKAGE}/web/idempotency.py",
        (("if not is_retryable(error) or time.monotonic() > end:", "if True:"),),
        ("tests/web/test_idempotency.py::test_a_claim_that_lost_a_race_is_made_again",),
    ),
    Mutant(
        "any prefix believed",
        "a prefix that is not a path is ignored",
        SECURITY,
        (("if PREFIX.fullmatch(prefix) else", "if prefix else"),),
        (f"{SECURITY_TESTS}::test_a_prefix_that_is_not_a_path_is_ignored",),
    ),
    Mutant(
        "responses stored by caches",
        "nothing is stored by caches unless a view says so",
        SECURITY,
        (("            headers.append(NO_STORE)\n", "            pass\n"),),
        (f"{SECURITY_TESTS}::test_nothing_is_stored_by_caches",),
    ),
    Mutant(
        "provider waited for without end",
        "the fetch of keys is bounded as a whole",
        f"{PACKAGE}/auth/provider.py",
        (("            self._close()\n", "            pass\n"),),
        (f"{OIDC_TESTS}::test_a_provider_that_trickles_is_given_up_as_a_whole[http]",),
        options=WITH_OIDC,
    ),
    Mutant(
        "tokens of every type",
        "a token of another type is rejected",
        OIDC,
        (("    if kind not in TOKEN_TYPES:\n", "    if False:\n"),),
        (f"{OIDC_TESTS}::test_tokens_of_another_type_are_rejected",),
        options=WITH_OIDC,
    ),
    Mutant(
        "small keys verify",
        "an RSA key below 2048 bits verifies nothing",
        OIDC,
        (('"enforce_minimum_key_length": True', '"enforce_minimum_key_length": False'),),
        (f"{OIDC_TESTS}::test_a_small_rsa_key_is_rejected",),
        options=WITH_OIDC,
    ),
    Mutant(
        "an empty subject is a caller",
        "an empty subject is rejected",
        OIDC,
        (('    if not claims["sub"].strip():\n', "    if False:\n"),),
        (f"{OIDC_TESTS}::test_an_empty_subject_is_rejected",),
        options=WITH_OIDC,
    ),
    Mutant(
        "keys without an algorithm are for RS256",
        "a key without an algorithm is valid for all of its type",
        OIDC,
        (('jwk.get("alg", algorithm) != algorithm', 'jwk.get("alg", ALGORITHMS[0]) != algorithm'),),
        (f"{OIDC_TESTS}::test_a_key_without_an_algorithm_is_valid_for_all_of_its_type[PS256]",),
        options=WITH_OIDC,
    ),
)
