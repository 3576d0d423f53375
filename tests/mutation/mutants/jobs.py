"""Mutants of background jobs: with their transaction, at least once, their changes once."""

from .mutant import PACKAGE, Mutant

JOBS = f"{PACKAGE}/jobs/jobs.py"
RUNNER = f"{PACKAGE}/jobs/job_runner.py"
OUTBOX = f"{PACKAGE}/jobs/outbox.py"
CELERY = f"{PACKAGE}/jobs/celery_app.py"
JOB_TESTS = "tests/jobs/test_jobs.py"
RUNNER_TESTS = "tests/jobs/test_job_runner.py"
CELERY_TESTS = "tests/jobs/test_celery_app.py"
OUTBOX_TESTS = "tests/jobs/test_outbox.py"
WITH_JOBS = (("background_jobs", "celery"),)

LEASED = "            job.due_at = at + lease(job_seconds)\n"
BOUND = "    with bound_contextvars(job_id=str(job_id), task=attempt.task, **attempt.ids):\n"
OWN = "            with app.app_context():\n"
ONE = "app.extensions.setdefault('one', app.app_context())"
RUN = "    TASKS[attempt.task].run(session, **attempt.arguments)\n"

JOB_MUTANTS = (
    # With the transaction that asks
    Mutant(
        "enqueue before commit",
        "a job of a transaction that is rolled back never was",
        JOBS,
        (("    session.add(\n", "    (lambda job: (session.add(job), session.commit()))(\n"),),
        (
            f"{JOB_TESTS}::test_a_job_without_a_commit_never_was",
            f"{JOB_TESTS}::test_a_job_of_a_savepoint_is_not_there_before_the_whole_is_committed",
        ),
        options=WITH_JOBS,
    ),
    Mutant(
        "job without the ids of its request",
        "a job knows the request that asked for it",
        JOBS,
        (("        return who.request_id, who.trace_id\n", "        return None, None\n"),),
        (f"{JOB_TESTS}::test_a_request_asks_for_a_job_with_its_ids",),
        options=WITH_JOBS,
    ),
    # At least once
    Mutant(
        "row deleted when it is handed over",
        "what the broker forgets is done all the same",
        OUTBOX,
        ((LEASED, "            session.delete(job)\n"),),
        (f"{OUTBOX_TESTS}::test_what_was_handed_over_stays_until_it_is_done",),
        options=WITH_JOBS,
    ),
    Mutant(
        "jobs are not claimed",
        "relays at the same time take different jobs",
        OUTBOX,
        ((LEASED, "            pass\n"),),
        (f"{OUTBOX_TESTS}::test_what_was_handed_over_stays_until_it_is_done",),
        options=WITH_JOBS,
    ),
    Mutant(
        "what the broker refuses waits for its lease",
        "what the broker does not take is due again at once",
        OUTBOX,
        (("run_in_transaction(partial(_release, messages=messages[index:]))", "pass"),),
        (f"{OUTBOX_TESTS}::test_what_the_broker_does_not_take_is_due_again",),
        options=WITH_JOBS,
    ),
    Mutant(
        "message acknowledged before its job",
        "a message that a lost worker held comes back",
        CELERY,
        (("task_acks_late=True", "task_acks_late=False"),),
        (f"{CELERY_TESTS}::test_a_message_is_given_away_only_when_its_job_can_have_ended",),
        options=WITH_JOBS,
    ),
    Mutant(
        "worker on Celery's own transport",
        "a worker outlives the loss of its broker in the middle of a job",
        CELERY,
        (
            (
                'broker_transport = f"{Transport.__module__}:{Transport.__name__}"',
                "broker_transport = None",
            ),
        ),
        (f"{CELERY_TESTS}::test_the_worker_is_on_the_transport_that_outlives_its_broker",),
        options=WITH_JOBS,
    ),
    Mutant(
        "certificate of the broker not checked",
        "with TLS the broker has to be the one that is meant",
        CELERY,
        (('    if not url.startswith("rediss:") or "ssl_cert_reqs=" in url:\n', "    if url:\n"),),
        (
            f"{CELERY_TESTS}::test_the_certificate_of_a_broker_is_checked[TLS]",
            f"{CELERY_TESTS}::test_the_certificate_of_a_broker_is_checked[authority]",
        ),
        options=WITH_JOBS,
    ),
    Mutant(
        "no retry",
        "a job that fails is due again later",
        RUNNER,
        (("due_at = None if is_last else utc_now() + pause(attempt.number)", "due_at = None"),),
        (f"{RUNNER_TESTS}::test_a_job_that_fails_is_due_again_later",),
        options=WITH_JOBS,
    ),
    Mutant(
        "pauses do not grow",
        "retries back off",
        RUNNER,
        (("FIRST_PAUSE_SECONDS * 2 ** (attempts - 1)", "FIRST_PAUSE_SECONDS"),),
        (f"{RUNNER_TESTS}::test_pauses_grow_and_differ",),
        options=WITH_JOBS,
    ),
    Mutant(
        "no bound on attempts",
        "a job that fails too often is given up",
        RUNNER,
        (("is_last = attempt.number >= MOST_ATTEMPTS", "is_last = False"),),
        (f"{RUNNER_TESTS}::test_a_job_that_fails_too_often_is_given_up",),
        options=WITH_JOBS,
    ),
    Mutant(
        "no bound on lost workers",
        "a job that takes each worker down is given up",
        OUTBOX,
        (("        if job.attempts >= MOST_ATTEMPTS:\n", "        if False:\n"),),
        (f"{OUTBOX_TESTS}::test_a_job_that_takes_each_worker_down_is_given_up",),
        options=WITH_JOBS,
    ),
    # Its changes once
    Mutant(
        "attempt begun for each message",
        "a message that comes again makes no attempt",
        RUNNER,
        (
            (
                "    next_one = update(Job).where(Job.id == job_id, Job.attempts == number - 1)\n",
                "    next_one = update(Job).where(Job.id == job_id)\n",
            ),
        ),
        (f"{RUNNER_TESTS}::test_a_message_that_comes_again_makes_no_attempt",),
        options=WITH_JOBS,
    ),
    Mutant(
        "task committed apart from the end of its job",
        "what a task does and its end are committed together",
        RUNNER,
        ((RUN, f"{RUN}    session.commit()\n"),),
        (f"{RUNNER_TESTS}::test_an_attempt_that_was_overtaken_is_rolled_back",),
        options=WITH_JOBS,
    ),
    Mutant(
        "overtaken attempt commits",
        "of two attempts one counts",
        RUNNER,
        (("        raise OvertakenError\n", "        pass\n"),),
        (f"{RUNNER_TESTS}::test_an_attempt_that_was_overtaken_is_rolled_back",),
        options=WITH_JOBS,
    ),
    # Context, session, logs
    Mutant(
        "one context for all jobs",
        "a job has a context of its own",
        RUNNER,
        (
            (
                f"{OWN}                _do(",
                f"{OWN.replace('app.app_context()', ONE)}                _do(",
            ),
        ),
        (f"{RUNNER_TESTS}::test_a_job_has_a_context_and_a_session_of_its_own",),
        options=WITH_JOBS,
    ),
    Mutant(
        "a connection is held before the task wants it",
        "a job begins without a connection",
        RUNNER,
        ((RUN, f"    session.connection()\n{RUN}"),),
        (f"{RUNNER_TESTS}::test_a_job_begins_without_a_connection",),
        options=WITH_JOBS,
    ),
    Mutant(
        "request id not carried into the job",
        "lines of a job have the ids of its request",
        RUNNER,
        ((BOUND, BOUND.replace(", **attempt.ids", "")),),
        (f"{RUNNER_TESTS}::test_all_lines_of_a_job_have_the_ids_of_its_request",),
        options=WITH_JOBS,
    ),
    Mutant(
        "ids of the job before",
        "lines of a job have no ids of another",
        RUNNER,
        (
            (
                BOUND,
                "    from structlog.contextvars import bind_contextvars\n\n"
                + BOUND.replace("with bound_", "bind_").replace(":\n", "\n")
                + "    if True:\n",
            ),
        ),
        (f"{RUNNER_TESTS}::test_all_lines_of_a_job_have_the_ids_of_its_request",),
        options=WITH_JOBS,
    ),
)
