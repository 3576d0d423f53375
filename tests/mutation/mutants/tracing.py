"""Mutants of traces: spans that log lines and jobs belong to, without values, at no one's cost."""

from .mutant import PACKAGE, Mutant

TRACING = f"{PACKAGE}/observability/tracing.py"
EXPORT = f"{PACKAGE}/observability/span_export.py"
SPANS = f"{PACKAGE}/jobs/spans.py"
TESTS = "tests/observability/test_tracing.py"
SPAN_TESTS = "tests/jobs/test_spans.py"
WITH_JOBS = (("background_jobs", "celery"),)

TRACING_MUTANTS = (
    Mutant(
        "trace id of the log from elsewhere",
        "the trace id of the log is that of the span",
        TRACING,
        (("        environ[KEY] = request_ids_of(environ)._replace(trace_id=trace_id)\n", ""),),
        (f"{TESTS}::test_without_one_the_log_has_the_trace_id_of_the_span",),
    ),
    Mutant(
        "trace of the caller ignored",
        "the trace of the caller goes on",
        TRACING,
        (("            propagate.extract(environ, getter=GETTER),\n", "            None,\n"),),
        (f"{TESTS}::test_the_trace_of_the_caller_goes_on",),
    ),
    Mutant(
        "span of a request by its path",
        "spans are named by the route, not by what callers write",
        TRACING,
        (
            (
                'span.update_name(f"{method} {request.url_rule.rule}")',
                'span.update_name(f"{method} {request.path}")',
            ),
        ),
        (f"{TESTS}::test_a_request_is_a_span_by_its_route",),
    ),
    Mutant(
        "text of errors in spans",
        "no span has the text of an error, which may hold values",
        TRACING,
        (
            (
                "span.set_status(StatusCode.ERROR)\n    span",
                "span.record_exception(error)\n    span",
            ),
        ),
        (f"{TESTS}::test_a_statement_that_fails_is_an_error_without_its_text",),
    ),
    Mutant(
        "span that ends before its body",
        "the span of a request ends with the body of its response",
        TRACING,
        (
            (
                "[close, span.end] if close else [span.end])",
                "[close] if close else [span.end()])",
            ),
        ),
        (f"{TESTS}::test_the_span_of_a_stream_ends_with_its_body",),
    ),
    Mutant(
        "no span of the wait for a connection",
        "the wait for a connection is a span",
        TRACING,
        (("    engine.raw_connection = connect  # type", "    # type"),),
        (
            f"{TESTS}::test_the_wait_for_a_connection_is_a_span",
            f"{TESTS}::test_a_wait_that_is_given_up_is_an_error",
        ),
    ),
    Mutant(
        "tracing that is always on",
        "without variables nothing is added to a request",
        TRACING,
        (
            (
                'default = "otlp" if any(map(os.environ.get, ENDPOINTS)) else "none"',
                'default = "console"',
            ),
        ),
        (f"{TESTS}::test_without_variables_nothing_is_added_to_a_request",),
    ),
    Mutant(
        "each span exported by its request",
        "spans are exported by a thread of their own, not by requests",
        EXPORT,
        (
            ("export import BatchSpanProcessor\n", "export import SimpleSpanProcessor\n"),
            ("add_span_processor(BatchSpanProcessor(", "add_span_processor(SimpleSpanProcessor("),
        ),
        (f"{TESTS}::test_the_protocol_names_the_exporter",),
    ),
    Mutant(
        "a process that waits for its exporter",
        "an exporter that hangs does not hold up the end of a process",
        TRACING,
        (("thread.join(SHUTDOWN_SECONDS)", "thread.join(10)"),),
        (f"{TESTS}::test_an_exporter_that_hangs_does_not_hold_up_the_end_of_a_process",),
    ),
    Mutant(
        "run that is not linked",
        "the span of a job is linked to the request that asked for it, through the outbox",
        SPANS,
        (("        [Link(asked)] if asked.is_valid else [],\n", ""),),
        (
            f"{SPAN_TESTS}::test_a_run_continues_the_trace_of_its_request_and_links_to_it",
            f"{SPAN_TESTS}::test_a_retry_links_to_the_same_request_and_is_an_error",
        ),
        options=WITH_JOBS,
    ),
    Mutant(
        "headers of a caller in the outbox",
        "of what a caller sends only the trace's id is kept with a job",
        SPANS,
        (
            (
                "    return {HEADER: headers[HEADER]} if HEADER in headers else {}\n",
                "    return headers\n",
            ),
        ),
        (f"{SPAN_TESTS}::test_a_run_continues_the_trace_of_its_request_and_links_to_it",),
        options=WITH_JOBS,
    ),
)
