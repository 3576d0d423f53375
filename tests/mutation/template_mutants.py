"""Named mutants of the template itself: of its hooks, its manifest and its files for delivery.

test_template_mutants.py shows that the tests of this repository see every one of them. Each
changes a text that has to occur exactly once in its file.
"""

from dataclasses import dataclass
from pathlib import Path

from .mutants import MutantDoesNotApplyError

PROJECT = "{{cookiecutter.project_slug}}"
PRE_HOOK = "hooks/pre_gen_project.py"
POST_HOOK = "hooks/post_gen_project.py"
TESTS_OF_PRE_HOOK = "tests/generation/hooks/test_pre_gen_project.py"
TESTS_OF_POST_HOOK = "tests/generation/hooks/test_post_gen_project.py"
RECORD = "tests/generation/hooks/test_record.py"
UPDATES = "tests/project/test_updates.py"
DELIVERY = "tests/delivery/test_delivery.py"
NEWER = "tests/repository/test_newer.py"
PROXY = "tests/service/test_proxy.py"
VARIANTS = "tests/generation/test_variants.py::test_variant_is_sound"


@dataclass(frozen=True)
class TemplateMutant:
    """A change of the template; `tests` have to fail for it, with the variants of `only`."""

    name: str
    guarantee: str
    file: str
    old: str
    new: str
    tests: tuple[str, ...]
    only: str = ""

    def apply(self, template: Path) -> None:
        """Change a copy of the template. Raises `MutantDoesNotApplyError`."""
        path = template / self.file
        text = path.read_text(encoding="utf-8")
        if text.count(self.old) != 1:
            found = f"{text.count(self.old)} times in {self.file}"
            raise MutantDoesNotApplyError(f"{self.name}: it finds {self.old!r} {found}")
        path.write_text(text.replace(self.old, self.new), encoding="utf-8")


TEMPLATE_MUTANTS = (
    # The manifest
    TemplateMutant(
        "manifest without a file of SQLite",
        "nothing is left of an option that was not chosen",
        POST_HOOK,
        '            "tests/database/test_sqlite.py",\n',
        "",
        (
            f"{TESTS_OF_POST_HOOK}::test_every_file_named_for_an_option_is_in_the_manifest",
            VARIANTS,
        ),
        "database=postgresql auth=none background_jobs=none deployment=none ci=none license=MIT",
    ),
    TemplateMutant(
        "manifest without the folder of Kubernetes",
        "nothing is left of a deployment that was not chosen",
        POST_HOOK,
        '{"deployment": ("kubernetes",)}, (".checkov.yaml", "deploy")',
        '{"deployment": ("kubernetes",)}, ()',
        (VARIANTS,),
        "database=postgresql auth=none background_jobs=none deployment=none ci=none license=MIT",
    ),
    TemplateMutant(
        "manifest that names a missing path",
        "every path of the manifest exists",
        POST_HOOK,
        '"dev/server_mariadb.py"',
        '"dev/servers_mariadb.py"',
        (f"{TESTS_OF_POST_HOOK}::test_every_path_of_the_manifest_exists_in_the_template",),
    ),
    TemplateMutant(
        "missing path is not an error",
        "a missing path of the manifest stops the generation",
        POST_HOOK,
        "if missing and not again:",
        "if missing and again:",
        (f"{TESTS_OF_POST_HOOK}::test_a_missing_path_stops_the_generation",),
    ),
    # The other work of the hooks
    TemplateMutant(
        "hook that sets up again",
        "a hook that runs again leaves `.env` alone and sets nothing up",
        POST_HOOK,
        "if again or is_for_comparison(project, ANSWERS):",
        "if is_for_comparison(project, ANSWERS):",
        (f"{TESTS_OF_POST_HOOK}::test_the_second_run_changes_nothing_and_sets_nothing_up",),
    ),
    TemplateMutant(
        "hook that writes a secret for a comparison",
        "a rendering for a comparison gets neither a secret nor a set-up",
        POST_HOOK,
        "if again or is_for_comparison(project, ANSWERS):",
        "if again:",
        (f"{TESTS_OF_POST_HOOK}::test_a_rendering_for_comparison_gets_neither_secret_nor_set_up",),
    ),
    TemplateMutant(
        ".env that others can read",
        "only its owner can read the secret",
        f"{PROJECT}/dev/env_file.py",
        "0o600",
        "0o644",
        (
            f"{TESTS_OF_POST_HOOK}::test_env_is_private_and_has_a_new_secret",
            VARIANTS,
        ),
        "database=sqlite auth=none background_jobs=none deployment=none ci=none license=MIT",
    ),
    TemplateMutant(
        "unsupported combinations accepted",
        "unsupported combinations of choices are rejected",
        PRE_HOOK,
        "    check_combinations,\n",
        "",
        (f"{DELIVERY}::test_sqlite_is_rejected_for_several_replicas",),
    ),
    TemplateMutant(
        "only the first error reported",
        "all errors of the answers are reported at once",
        PRE_HOOK,
        "return [error for validator in VALIDATORS for error in validator(answers)]",
        "return [error for validator in VALIDATORS for error in validator(answers)][:1]",
        (f"{TESTS_OF_PRE_HOOK}::test_all_errors_are_reported_at_once",),
    ),
    # What is rendered
    TemplateMutant(
        "undeclared dependency",
        "every import is declared",
        f"{PROJECT}/pyproject.toml",
        '    "uuid-utils>=',
        '    # "uuid-utils>=',
        (VARIANTS,),
        "database=sqlite auth=none background_jobs=none deployment=none ci=none license=MIT",
    ),
    TemplateMutant(
        "undocumented setting",
        "every setting is documented",
        f"{PROJECT}/.env.example",
        "# METRICS_PORT=9464\n",
        "",
        (VARIANTS,),
        "database=sqlite auth=none background_jobs=none deployment=none ci=none license=MIT",
    ),
    TemplateMutant(
        "README that names what was not chosen",
        "no document mentions an option that was not chosen",
        f"{PROJECT}/docs/testing.md",
        "# Tests\n",
        "# Tests on PostgreSQL\n",
        (VARIANTS,),
        "database=sqlite auth=none background_jobs=none deployment=none ci=none license=MIT",
    ),
    TemplateMutant(
        "workflow of GitHub without checks",
        "CI runs the project's checks and tests",
        f"{PROJECT}/.github/workflows/ci.yml",
        "      - run: make check PYTHON=",
        "      - run: make help PYTHON=",
        (f"{DELIVERY}::test_the_ci_calls_targets_that_exist",),
    ),
    TemplateMutant(
        "workflow of GitHub without the newest Python",
        "CI tests the oldest and the newest Python",
        f"{PROJECT}/.github/workflows/ci.yml",
        '["3.11", "3.15"]',
        '["3.11", "3.14"]',
        (f"{DELIVERY}::test_the_ci_tests_the_oldest_and_the_newest_python",),
    ),
    TemplateMutant(
        "missing interpreters are fine in CI",
        "what the machine lacks is named, and an error in CI",
        "tools/install_newer.sh",
        'if [ -n "${CI:-}" ]; then exit 1; fi',
        "",
        (f"{NEWER}::test_what_is_missing_is_named_and_an_error_only_in_ci",),
    ),
    TemplateMutant(
        "workflow of GitHub that keeps its token",
        "jobs have the permissions that they need",
        f"{PROJECT}/.github/workflows/ci.yml",
        "permissions: {}\n",
        "permissions: write-all\n",
        (f"{DELIVERY}::test_linter_finds_nothing_in_any_variant[zizmor]",),
    ),
    TemplateMutant(
        "pipeline of GitLab without checks",
        "CI runs the project's checks and tests",
        f"{PROJECT}/.gitlab-ci.yml",
        "    - make check\n",
        "    - make help\n",
        (f"{DELIVERY}::test_the_ci_calls_targets_that_exist",),
    ),
    TemplateMutant(
        "container that can write",
        "a container has a read-only root file system",
        f"{PROJECT}/compose.yaml",
        "\n  read_only: true\n",
        "\n  read_only: false\n",
        (
            f"{DELIVERY}::test_the_service_waits_for_the_migration_and_the_migration_for_the_database",
        ),
    ),
    TemplateMutant(
        "image of root",
        "the image runs as another user than root",
        f"{PROJECT}/Dockerfile",
        "USER 10001:10001",
        "USER 0:0",
        (f"{DELIVERY}::test_pods_have_only_the_rights_they_need",),
    ),
    TemplateMutant(
        "pod that may gain privileges",
        "pods keep to the restricted profile",
        f"{PROJECT}/deploy/kubernetes/migration.yaml",
        "allowPrivilegeEscalation: false",
        "allowPrivilegeEscalation: true",
        (f"{DELIVERY}::test_pods_have_only_the_rights_they_need",),
    ),
    TemplateMutant(
        "requests passed on unbuffered",
        "the proxy reads a whole request before the service sees it",
        f"{PROJECT}/Caddyfile",
        "\t\trequest_buffers 1GiB\n",
        "",
        (f"{PROXY}::test_the_limits_of_proxy_and_service_fit",),
    ),
    TemplateMutant(
        "a caller's prefix passed on",
        "a caller cannot pretend to be a proxy",
        f"{PROJECT}/Caddyfile",
        "\t\theader_up -X-Forwarded-Prefix\n",
        "",
        (f"{PROXY}::test_a_caller_is_who_the_proxy_says",),
    ),
    TemplateMutant(
        "service published beside its proxy",
        "in Compose only the proxy can be reached",
        f"{PROJECT}/compose.yaml",
        "    stop_grace_period: 45s\n",
        "    stop_grace_period: 45s\n    ports:\n      - 127.0.0.1:8001:8000\n",
        (f"{PROXY}::test_only_the_proxy_is_published",),
    ),
    TemplateMutant(
        "licence changed",
        "the licence is the published text",
        "templates/licenses/Apache-2.0.txt",
        "Grant of Patent License. Subject to",
        "Grant of Patent License. Not subject to",
        (f"{DELIVERY}::test_the_apache_licence_equals_the_published_text",),
    ),
    # Updates of projects
    TemplateMutant(
        "address recorded with its password",
        "no password and no token is recorded in a project",
        "local_extensions.py",
        "return without_secrets(found) if found else str(ROOT)",
        "return found or str(ROOT)",
        (f"{RECORD}::test_a_clone_is_recorded_by_its_remote_without_secrets",),
    ),
    TemplateMutant(
        "command with a token",
        "the command that follows wrong answers contains no secret",
        PRE_HOOK,
        'without_secrets(str(answers.get("_template", "")))',
        'str(answers.get("_template", ""))',
        (f"{TESTS_OF_PRE_HOOK}::test_the_command_has_the_address_without_secrets",),
    ),
    TemplateMutant(
        "errors above a traceback",
        "below the errors of invalid answers cookiecutter prints no traceback",
        "local_extensions.py",
        "        logger.addFilter(_is_unexplained)\n",
        "        pass\n",
        (f"{TESTS_OF_PRE_HOOK}::test_after_invalid_answers_one_command_has_all_valid_ones",),
    ),
    TemplateMutant(
        "update that brings a migration as it is",
        "a migration of the kit follows the newest one of the project",
        f"{PROJECT}/dev/kit_revisions.py",
        "        parent = head({**own, **placed})\n",
        "        parent = head(known)\n",
        (f"{UPDATES}::test_new_migrations_follow_those_of_the_project",),
    ),
    TemplateMutant(
        "update that merges the README",
        "an update does not merge what belongs to the team",
        f"{PROJECT}/dev/merge.py",
        '    "README.md",\n',
        "",
        (f"{UPDATES}::test_files_of_the_team_are_known",),
    ),
    TemplateMutant(
        "update over changes that are not committed",
        "an update starts only if it can be undone",
        f"{PROJECT}/dev/merge.py",
        "    if changed:\n",
        "    if not changed:\n",
        (f"{UPDATES}::test_a_release_that_cannot_be_applied_changes_nothing",),
    ),
    # What a team has at hand
    TemplateMutant(
        "tests that do not hear TERM",
        "interrupted tests leave no process",
        f"{PROJECT}/tests/conftest.py",
        "    signal.signal(signal.SIGTERM, signal.default_int_handler)\n",
        "    assert signal.SIGTERM\n",
        ("tests/project/test_at_hand.py::test_interrupted_tests_leave_no_process[sqlite-TERM-0]",),
    ),
    TemplateMutant(
        "seeds everywhere",
        "seeds are only for development",
        f"{PROJECT}/dev/run.py",
        'if arguments.seed and settings.environment != "development":',
        'if arguments.seed and settings.environment == "staging":',
        ("tests/project/test_at_hand.py::test_seeds_are_only_for_development",),
    ),
)


def rounds() -> list[tuple[TemplateMutant, ...]]:
    """Return groups of mutants to try together; no test belongs to two mutants of a group."""
    found: list[list[TemplateMutant]] = []
    for mutant in TEMPLATE_MUTANTS:
        for others in found:
            seen = {test for other in others for test in other.tests}
            same_text = any(mutant.old == other.old for other in others)
            if (
                not seen & set(mutant.tests)
                and not same_text
                and {o.only for o in others} == {mutant.only}
            ):
                others.append(mutant)
                break
        else:
            found.append([mutant])
    return [tuple(group) for group in found]
