"""Mutants of background jobs: with their transaction, at least once, their changes once."""

from .mutant import PACKAGE, Mutant

OUTBOX = f"{PACKAGE}/jobs/outbox.py"
RECEIPTS = f"{PACKAGE}/jobs/receipts.py"
TASKS = f"{PACKAGE}/jobs/tasks.py"
RELAY = f"{PACKAGE}/jobs/relay.py"
CELERY = f"{PACKAGE}/jobs/celery_app.py"
SETTINGS = f"{PACKAGE}/base_settings.py"
SETTINGS_TESTS = "tests/test_settings.py"
OUTBOX_TESTS = "tests/jobs/test_outbox.py"
TASK_TESTS = "tests/jobs/test_tasks.py"
RELAY_TESTS = "tests/jobs/test_relay.py"
CELERY_TESTS = "tests/jobs/test_celery_app.py"


def mutant(name: str, guarantee: str, file: str, change: tuple[str, str], *tests: str) -> Mutant:
    """Return a mutant of a project with background jobs."""
    return Mutant(name, guarantee, file, (change,), tests, options=(("background_jobs", "celery"),))


JOB_MUTANTS = (
    # With the transaction that asks
    mutant(
        "enqueue commits",
        "a task of a transaction that is rolled back never was",
        OUTBOX,
        ("    session.add(job)\n", "    session.add(job)\n    session.commit()\n"),
        f"{OUTBOX_TESTS}::test_a_receipt_without_a_commit_never_was",
        f"{OUTBOX_TESTS}::test_a_receipt_of_a_savepoint_is_not_there_before_the_whole_is_committed",
    ),
    mutant(
        "receipt without the ids of its request",
        "a receipt knows the request that asked for it",
        OUTBOX,
        (", payload=payload, **origin_ids())", ", payload=payload)"),
        f"{OUTBOX_TESTS}::test_a_receipt_has_the_ids_of_its_request",
    ),
    mutant(
        "no bound on arguments",
        "arguments that are too long are rejected",
        OUTBOX,
        ("    if len(payload) > MAX_PAYLOAD_LENGTH:\n", "    if False:\n"),
        f"{OUTBOX_TESTS}::test_arguments_that_are_too_long_are_rejected",
    ),
    mutant(
        "countdown ignored",
        "a task with a countdown waits in the table",
        OUTBOX,
        ("    if countdown:\n", "    if False:\n"),
        f"{OUTBOX_TESTS}::test_a_countdown_counts_by_the_clock_of_the_database",
    ),
    mutant(
        "options of the task itself ignored",
        "options of a task count as in a call of Celery",
        OUTBOX,
        ("    options |= signature.options\n", "    options = dict(signature.options)\n"),
        f"{OUTBOX_TESTS}::test_options_of_the_task_itself_count_as_in_a_call",
    ),
    mutant(
        "expires counts from publishing",
        "a task expires by the time when it was asked for",
        OUTBOX,
        ("    if isinstance(expires, int | float):\n", "    if False:\n"),
        f"{OUTBOX_TESTS}::test_a_task_expires_by_the_time_when_it_was_asked_for",
    ),
    mutant(
        "time without a zone",
        "an eta without a time zone is rejected at once",
        OUTBOX,
        ("and eta.utcoffset() is not None)", ")"),
        f"{OUTBOX_TESTS}::test_a_time_without_a_zone_is_rejected[zone]",
    ),
    # At least once
    mutant(
        "receipt deleted when it is published",
        "what the broker forgets is done all the same",
        RELAY,
        (
            "        session.execute(claimed.values(state=JobState.SENT, heard_at=claimed_at))\n",
            "        for job in jobs:\n            session.delete(job)\n",
        ),
        f"{RELAY_TESTS}::test_what_was_published_is_published_again_only_after_a_long_silence",
    ),
    mutant(
        "tasks are not claimed",
        "relays at the same time publish different tasks",
        RELAY,
        (
            "        session.execute(claimed.values(state=JobState.SENT, heard_at=claimed_at))\n",
            "        pass\n",
        ),
        f"{RELAY_TESTS}::test_what_was_published_is_published_again_only_after_a_long_silence",
        f"{RELAY_TESTS}::test_relays_at_the_same_time_publish_different_tasks",
    ),
    mutant(
        "claims last as long as a silence",
        "what a killed relay had taken is soon published again",
        RELAY,
        (
            "    claimed_at = silent_since + timedelta(seconds=CLAIM_SECONDS)\n",
            "    claimed_at = now\n",
        ),
        f"{RELAY_TESTS}::test_what_a_killed_relay_had_taken_is_soon_published_again",
    ),
    mutant(
        "what the broker does not take waits for a silence",
        "what the broker does not take is due again at once",
        RELAY,
        (
            "_note_claimed(unsent, claimed_at, state=JobState.WAITING)",
            "_note_claimed(unsent, claimed_at, heard_at=func.current_timestamp())",
        ),
        f"{RELAY_TESTS}::test_what_the_broker_does_not_take_is_due_again",
    ),
    mutant(
        "no bound on what is in flight",
        "what is published and not done is bounded",
        RELAY,
        ("        room = max(0, bound - session.scalars(sent).one())\n", "        room = bound\n"),
        f"{RELAY_TESTS}::test_what_is_in_flight_is_bounded_for_each_queue",
    ),
    mutant(
        "published again too soon",
        "a task is published again only after a longer silence than any redelivery takes",
        CELERY,
        (
            "        self.silence_seconds = visibility + 2 * limit",
            "        self.silence_seconds = visibility",
        ),
        f"{RELAY_TESTS}::test_what_was_published_is_published_again_only_after_a_long_silence",
    ),
    mutant(
        "message acknowledged before its task",
        "a message that a lost worker held is delivered again",
        CELERY,
        ("task_acks_late=True", "task_acks_late=False"),
        f"{CELERY_TESTS}::test_a_message_is_delivered_again_only_when_its_task_can_have_ended",
    ),
    mutant(
        "worker on Celery's own transport",
        "a worker survives the loss of its broker in the middle of a task",
        CELERY,
        (
            '        celery.conf.broker_transport = f"{__package__}.redis_transport:Transport"\n',
            "        pass\n",
        ),
        f"{CELERY_TESTS}::test_a_worker_is_on_the_transport_that_survives_its_broker",
    ),
    mutant(
        "certificate of the broker not checked",
        "with TLS the broker has to be the one that is meant",
        CELERY,
        ('    if not url.startswith("rediss:") or "ssl_cert_reqs=" in url:\n', "    if url:\n"),
        f"{CELERY_TESTS}::test_the_certificate_of_a_broker_is_checked[TLS]",
        f"{CELERY_TESTS}::test_the_certificate_of_a_broker_is_checked[authority]",
    ),
    mutant(
        "no retry",
        "a task is retried after any error",
        TASKS,
        ("    autoretry_for = (Exception,)\n", "    autoretry_for = ()\n"),
        f"{TASK_TESTS}::test_a_task_is_retried_after_any_error_with_growing_pauses",
    ),
    mutant(
        "pauses do not grow",
        "retries back off",
        TASKS,
        ("    retry_backoff = 2\n", "    retry_backoff = False\n"),
        f"{TASK_TESTS}::test_a_task_is_retried_after_any_error_with_growing_pauses",
    ),
    mutant(
        "retry published instead of kept",
        "a retry waits in the table",
        TASKS,
        ('        if headers.get(RECEIPT) and options.get("retries"):\n', "        if False:\n"),
        f"{TASK_TESTS}::test_a_retry_waits_in_the_table",
    ),
    mutant(
        "receipt lost with the headers of a retry",
        "a retry keeps its receipt, whatever its headers are",
        TASKS,
        ('            options["headers"] = own | ', "            own = own | "),
        f"{TASK_TESTS}::test_a_retry_with_other_headers_keeps_its_receipt",
    ),
    mutant(
        "failed task forgotten",
        "a task that fails for the last time is kept with its error",
        TASKS,
        ("    receipts.note(sender.app, task_id, exception)\n", "    pass\n"),
        f"{TASK_TESTS}::test_a_task_that_fails_for_the_last_time_is_kept",
    ),
    mutant(
        "no bound on lost workers",
        "a task that takes its worker down each time is failed",
        TASKS,
        ("        if runs >= receipts.MAX_RUNS:\n", "        if False:\n"),
        f"{TASK_TESTS}::test_a_task_that_takes_its_worker_down_each_time_is_failed",
    ),
    mutant(
        "retries count as lost workers",
        "a task may be retried without a bound",
        TASKS,
        ('values |= {"payload": payload, "runs": 0}', 'values |= {"payload": payload}'),
        f"{TASK_TESTS}::test_a_retry_does_not_count_the_workers_that_were_lost_before",
    ),
    mutant(
        "message that comes again not counted",
        "a message that is delivered again counts as a lost worker",
        RECEIPTS,
        ("    runs: int = found.runs + again\n", "    runs: int = found.runs\n"),
        f"{TASK_TESTS}::test_a_message_that_is_delivered_again_counts",
    ),
    mutant(
        "publishing counts as a lost worker",
        "a task that no worker takes is not failed",
        RELAY,
        (
            "claimed_at, heard_at=func.current_timestamp())",
            "claimed_at, heard_at=func.current_timestamp(), runs=Job.runs + 1)",
        ),
        f"{TASK_TESTS}::test_what_is_published_again_without_a_run_does_not_count",
    ),
    mutant(
        "read in plain SQL counts as a change",
        "a commit that only ends a read leaves the receipt",
        RECEIPTS,
        (".upper().startswith(READS)", ".upper().startswith(ENDED)"),
        f"{TASK_TESTS}::test_the_end_of_a_read_leaves_the_receipt[commit-sql]",
    ),
    mutant(
        "one rejected queue holds up the others",
        "a queue that the broker rejects does not hold up the others",
        RELAY,
        ("                    rejected.append(error)", "                    raise"),
        f"{RELAY_TESTS}::test_a_queue_that_the_broker_rejects_does_not_hold_up_the_others",
    ),
    mutant(
        "one message that cannot be made stops the relay",
        "a task that cannot be a message does not stop others",
        RELAY,
        (
            "                except Exception as error:",
            "                except TypeError as error:",
        ),
        f"{RELAY_TESTS}::test_a_task_that_cannot_be_a_message_is_failed_and_others_go_on",
    ),
    mutant(
        "unknown codec taken for a broker that is down",
        "a task that cannot be encoded does not stop others",
        RELAY,
        (
            "        errors = tuple(each for each in errors if each is not KeyError)",
            "        errors = tuple(errors)",
        ),
        f"{RELAY_TESTS}::"
        "test_a_task_that_cannot_be_a_message_is_failed_and_others_go_on[compression]",
    ),
    mutant(
        "tasks failed by an error of the connection",
        "an error of the connection lets tasks wait",
        RELAY,
        ("Producer(connection.default_channel)", "Producer(connection)"),
        f"{RELAY_TESTS}::test_a_task_is_not_failed_by_a_broker_that_cannot_be_used[no number]",
        f"{RELAY_TESTS}::"
        "test_a_task_is_not_failed_by_a_broker_that_cannot_be_used[no such database]",
    ),
    mutant(
        "any path in the URL of a Redis",
        "a broker whose database is no number is rejected at start",
        SETTINGS,
        ("(?:/{1,2}[0-9]{0,9})?|", r"(?:/[^\s?]*)?|"),
        f"{SETTINGS_TESTS}::test_an_invalid_broker_url_is_reported[name]",
        f"{SETTINGS_TESTS}::test_an_invalid_broker_url_is_reported[path]",
    ),
    mutant(
        "settings of Celery not tried",
        "settings with which each call of a task would fail are rejected at start",
        SETTINGS,
        ("    _check_publishing(settings)\n", ""),
        f"{SETTINGS_TESTS}::test_settings_with_which_celery_cannot_publish_are_reported",
    ),
    mutant(
        "receipt unmarked by a header",
        "a task with a receipt ends it, whatever its headers are",
        RELAY,
        (" | {RECEIPT: True}\n", " | {}\n"),
        f"{RELAY_TESTS}::test_a_caller_cannot_unmark_the_receipt[other]",
    ),
    mutant(
        "message of a broker's error in the log",
        "the relay logs known causes and no secret",
        RELAY,
        ('return ", ".join([type(original).__name__, *', 'return ", ".join([said, *'),
        f"{RELAY_TESTS}::test_a_look_that_fails_is_logged_without_secrets_and_made_again[any]",
        f"{RELAY_TESTS}::test_a_look_that_fails_is_logged_without_secrets_and_made_again[broker]",
        f"{RELAY_TESTS}::test_a_look_that_fails_is_logged_without_secrets_and_made_again[queue]",
    ),
    mutant(
        "metrics of a relay fail with its database",
        "a relay serves its metrics without the database",
        RELAY,
        (
            '                log.warning("Jobs are not measured: %s", cause_of(error))\n',
            "                raise\n",
        ),
        f"{RELAY_TESTS}::test_metrics_are_served_without_the_database",
    ),
    mutant(
        "traceback of a command",
        "a command without its database ends with one sentence",
        f"{PACKAGE}/database/cli.py",
        (
            "        with one_sentence():\n            return super().invoke(ctx)",
            "        return super().invoke(ctx)",
        ),
        "tests/jobs/test_cli.py::test_without_the_database_a_command_is_one_sentence",
    ),
    mutant(
        "late run not written down",
        "a task that began late is not published again before it ends",
        RECEIPTS,
        ("    if again or found.now", "    if again and found.now"),
        f"{TASK_TESTS}::test_a_run_that_begins_late_is_heard_of_by_the_clock_of_the_database",
    ),
    mutant(
        "retry with the arguments of the first run",
        "a retry may have other arguments, as Celery documents it",
        TASKS,
        ('values |= {"payload": payload, "runs": 0}', 'values |= {"runs": 0}'),
        f"{TASK_TESTS}::test_a_retry_may_have_other_arguments_and_another_queue",
    ),
    mutant(
        "task fails when its retry cannot be published",
        "a broker that is down does not fail a task",
        TASKS,
        ("Reject(reason, requeue=True)", "Reject(reason, requeue=False)"),
        f"{TASK_TESTS}::test_a_retry_that_cannot_be_published_does_not_fail_the_task",
    ),
    mutant(
        "unknown task dropped",
        "a task that a worker does not know waits for another",
        TASKS,
        ("    receipts.note(sender.app, id, error, due_in)\n", "    pass\n"),
        f"{TASK_TESTS}::test_a_task_that_a_worker_does_not_know_waits_for_another",
    ),
    # Its changes once
    mutant(
        "run begun for each message",
        "the message of an earlier retry does nothing",
        RECEIPTS,
        (
            'ITS_ID, JOBS.c.state == JobState.SENT, JOBS.c.retries == bindparam("of_retries")',
            "ITS_ID",
        ),
        f"{TASK_TESTS}::test_the_message_of_an_earlier_retry_does_nothing",
    ),
    mutant(
        "overtaken run commits",
        "of two runs of a task one commits",
        RECEIPTS,
        ("            raise ReceiptEndedError(ENDED)\n", "            pass\n"),
        f"{TASK_TESTS}::test_a_run_that_was_overtaken_is_rolled_back[False]",
        f"{TASK_TESTS}::test_a_run_that_was_overtaken_is_rolled_back[True]",
    ),
    mutant(
        "receipt outlives the commit of a task",
        "the first commit of changes ends the receipt",
        RECEIPTS,
        ('        event.listen(session, "after_flush", self._note_change)\n', ""),
        f"{TASK_TESTS}::test_the_first_commit_of_changes_ends_the_receipt",
    ),
    mutant(
        "the end of a read ends the receipt",
        "a task that reads, calls and writes is not lost in its call",
        RECEIPTS,
        ("        if self._is_changed and change_rows(", "        if change_rows("),
        f"{TASK_TESTS}::test_the_end_of_a_read_leaves_the_receipt[commit-orm]",
    ),
    # Context, session, logs
    mutant(
        "one context for all runs",
        "a run has a context of its own",
        TASKS,
        (
            "with celery.flask_app.app_context(), task_span(",
            "with vars(celery).setdefault('one', celery.flask_app.app_context()), task_span(",
        ),
        f"{TASK_TESTS}::test_a_run_has_a_context_and_a_session_of_its_own",
    ),
    mutant(
        "a connection is held before the task wants it",
        "a task begins without a connection",
        TASKS,
        (
            "        return receipts.Receipt(db.session(), UUID(",
            "        return receipts.Receipt(db.session.connection() and db.session(), UUID(",
        ),
        f"{TASK_TESTS}::test_a_task_begins_without_a_connection",
    ),
    mutant(
        "a failed transaction is open while its retry is written",
        "what failed holds no lock",
        TASKS,
        ("            db.session.remove()  # what failed", "            pass  # what failed"),
        f"{TASK_TESTS}::test_a_run_that_fails_leaves_nothing_open_and_nothing_behind",
    ),
    mutant(
        "request id not carried into the run",
        "lines of a run have the ids of its request",
        TASKS,
        ('ids |= {"task": task.name', 'ids = {"task": task.name'),
        f"{TASK_TESTS}::test_all_lines_of_a_run_have_the_ids_of_its_request",
    ),
    mutant(
        "ids of the run before",
        "lines of a run have no ids of another",
        TASKS,
        ("    structlog.contextvars.reset_contextvars(**task.request.bound)\n", "    pass\n"),
        f"{TASK_TESTS}::test_all_lines_of_a_run_have_the_ids_of_its_request",
    ),
    mutant(
        "arguments in the log",
        "logs and monitors do not show the arguments of tasks",
        CELERY,
        ("**HIDDEN | options)", "**options)"),
        f"{CELERY_TESTS}::test_the_headers_of_a_message_hide_its_arguments[True]",
        f"{CELERY_TESTS}::test_the_headers_of_a_message_hide_its_arguments[False]",
    ),
    mutant(
        "dropped messages in the log",
        "logs do not show the contents of messages that a worker drops",
        CELERY,
        ("        logging.getLogger(name).addFilter(hide_contents)\n", "        pass\n"),
        f"{CELERY_TESTS}::test_a_worker_logs_no_contents_of_what_it_drops[unknown task]",
        f"{CELERY_TESTS}::test_a_worker_that_logs_debug_lines_hides_arguments",
    ),
    mutant(
        "retry of an overtaken run",
        "a run that was overtaken is not retried",
        TASKS,
        ("due_in, **values):\n", "due_in, **values) and False:\n"),
        f"{TASK_TESTS}::test_a_failed_run_that_was_overtaken_is_logged_and_not_retried",
    ),
    # What tasks use
    mutant(
        "response of a failed webhook kept",
        "a webhook that fails keeps no connection",
        f"{PACKAGE}/jobs/webhooks.py",
        ("        with error:  # it holds the connection\n", "        if error:\n"),
        "tests/jobs/test_webhooks.py::"
        "test_error_of_the_receiver_is_raised_so_that_the_job_is_retried",
    ),
)
