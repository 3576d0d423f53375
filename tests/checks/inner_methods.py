"""Checks that no code calls the methods with which Flask dispatches a request.

Flask 3.2 gives each of them the context as a further first argument
(https://github.com/pallets/flask/pull/5815): code that goes through a route or `wsgi_app` does not
notice.
"""

import ast

from tests.harness.baked import BakedProject

INNER_METHODS = frozenset(
    {
        "dispatch_request",
        "do_teardown_appcontext",
        "do_teardown_request",
        "finalize_request",
        "full_dispatch_request",
        "handle_exception",
        "handle_http_exception",
        "handle_user_exception",
        "log_exception",
        "make_default_options_response",
        "preprocess_request",
        "process_response",
        "update_template_context",
    }
)


def calls_of_inner_methods(project: BakedProject) -> list[str]:
    """Return where a module calls an inner method of Flask."""
    errors = []
    for path in project.named("*.py"):
        text = path.read_text(encoding="utf-8")
        if not any(name in text for name in INNER_METHODS):
            continue
        errors += [
            f"{project.name_of(path)}:{node.lineno}: calls {node.func.attr}, whose arguments differ"
            " between versions of Flask"
            for node in ast.walk(ast.parse(text))
            if isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and node.func.attr in INNER_METHODS
        ]
    return errors
