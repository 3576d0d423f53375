"""The second hook removes options that were not chosen, writes `.env` and runs the set-up."""

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

import pytest
from pytest_cookies.plugin import Cookies

from hooks import post_gen_project
from hooks.post_gen_project import (
    MANIFEST,
    is_for_comparison,
    paths_to_remove,
    remove_options,
)
from tests.harness.minimal_template import TEMPLATE

NAMES = {
    "package": "{{cookiecutter.__package}}",
    "resource_plural": "{{cookiecutter.resource_plural}}",
}
DATABASES = ("sqlite", "postgresql", "mariadb", "mysql")
ANSWERS = {
    "package": "my_service",
    "resource_plural": "items",
    "database": "sqlite",
    "auth": "none",
    "background_jobs": "none",
    "deployment": "docker",
    "ci": "github",
    "setup": "no",
    "cruft_commit": "",
}
NOTE_OF_SET_UP = """\
import sys
from pathlib import Path

Path("set-up").write_text(sys.executable)
sys.exit(1)
"""

SET_UP_THAT_IS_STOPPED = """\
import pathlib, time
pathlib.Path("began").touch()
try:
    time.sleep(60)
except KeyboardInterrupt:
    pathlib.Path("stopped").touch()
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A folder with all paths of the manifest, before the hook runs."""
    folder = tmp_path / "my-service"
    for _, _, paths in MANIFEST:
        for path in paths:
            file = folder / path.format(package="my_service", resource_plural="items")
            file.parent.mkdir(parents=True, exist_ok=True)
            file.touch()
    return folder


def run_again(template: Path, project: Path) -> "subprocess.CompletedProcess[str]":
    """Run the rendered hook again in a finished project, as `--overwrite-if-exists` does."""
    source = (template / "hooks" / "post_gen_project.py").read_text(encoding="utf-8")
    values = {"__package": "my_service", "__engine": "SQLite", **ANSWERS, "setup": "yes"}
    for name, value in values.items():
        source = source.replace(f"{{{{ cookiecutter.{name} }}}}", value)
    source = source.replace("{{ cookiecutter._commit | default('') }}", "")
    assert "{{" not in source
    return subprocess.run(
        [sys.executable, "-c", source], cwd=project, capture_output=True, text=True, check=True
    )


def files_of(project: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(project)): path.read_bytes()
        for path in project.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


@pytest.mark.parametrize("database", DATABASES)
def test_only_the_files_of_the_chosen_engine_remain(
    database: str, cookies: Cookies, template: Path
) -> None:
    answers = {"database": database, "setup": "no"}
    project = cookies.bake(extra_context=answers, template=str(template)).project_path

    files = files_of(project)
    for _, choices, paths in MANIFEST:
        if not isinstance(choices, Mapping) or "database" not in choices:
            continue
        for path in paths:
            kept = database in choices["database"]
            assert (path.format(package="my_service") in files) is kept, path


def test_an_option_of_several_choices_needs_them_all(monkeypatch: pytest.MonkeyPatch) -> None:
    choices = {"database": ("sqlite", "mariadb"), "setup": ("yes",)}
    monkeypatch.setattr(post_gen_project, "MANIFEST", (("option", choices, ("folder/file",)),))

    def removed(**answers: str) -> list[str]:
        return paths_to_remove({**ANSWERS, **answers})

    assert removed(database="sqlite", setup="yes") == []
    assert removed(database="mariadb", setup="yes") == []
    assert removed(database="mariadb", setup="no") == ["folder/file"]
    assert removed(database="postgresql", setup="yes") == ["folder/file"]


def test_of_several_groups_of_choices_one_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    groups = ({"database": ("sqlite",)}, {"setup": ("yes",)})
    monkeypatch.setattr(post_gen_project, "MANIFEST", (("option", groups, ("file",)),))

    def removed(**answers: str) -> list[str]:
        return paths_to_remove({**ANSWERS, **answers})

    assert removed(database="sqlite", setup="no") == []
    assert removed(database="mariadb", setup="yes") == []
    assert removed(database="mariadb", setup="no") == ["file"]


def test_a_folder_is_removed_with_its_contents(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(post_gen_project, "MANIFEST", (("o", {"setup": ("yes",)}, ("src",)),))

    remove_options(project, ANSWERS, again=False)

    assert not (project / "src").exists()
    assert (project / "tests").exists()


def test_a_missing_path_is_named(project: Path) -> None:
    missing = ["src/my_service/database/mariadb.py", "dev/server_postgresql.py"]
    for path in missing:
        (project / path).unlink()

    with pytest.raises(SystemExit) as stop:
        remove_options(project, ANSWERS, again=False)

    assert all(path in str(stop.value) for path in missing)


def test_a_missing_path_stops_the_generation(
    cookies: Cookies, template: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (template / TEMPLATE.name / "dev" / "server_mariadb.py").unlink()

    result = cookies.bake(extra_context={"setup": "no"}, template=str(template))

    assert "exit status: 1" in str(result.exception)
    assert "dev/server_mariadb.py" in capfd.readouterr().err
    assert list((tmp_path / "cookies" / "bake00").iterdir()) == []


def test_every_path_of_the_manifest_exists_in_the_template() -> None:
    for _, _, paths in MANIFEST:
        for path in paths:
            assert (TEMPLATE / path.format(**NAMES)).exists(), path


def test_every_file_named_for_an_option_is_in_the_manifest() -> None:
    listed = {path for _, _, paths in MANIFEST for path in paths}
    named = {
        path.relative_to(TEMPLATE).as_posix().replace("{{cookiecutter.__package}}", "{package}")
        for path in TEMPLATE.rglob("*")
        if re.search("|".join(DATABASES), path.name) and "__pycache__" not in path.parts
    }
    assert named <= listed


def test_env_is_private_and_has_a_new_secret(cookies: Cookies, template: Path) -> None:
    secrets = set()
    for _ in range(2):
        answers = {"database": "postgresql", "setup": "no"}
        project = cookies.bake(extra_context=answers, template=str(template)).project_path
        lines = (project / ".env").read_text(encoding="utf-8").splitlines()
        values = dict(line.split("=", 1) for line in lines if not line.startswith("#"))

        assert os.name == "nt" or (project / ".env").stat().st_mode & 0o777 == 0o600
        assert re.fullmatch("[0-9a-f]{64}", values["SECRET_KEY"])
        port = re.search(r"@127\.0\.0\.1:(\d+)/app$", values["DATABASE_URL"])
        assert port
        assert 20_000 <= int(port[1]) < 30_000
        assert values["THREADS"] == "4"
        assert lines[0] == "# Settings of the service."
        example = (project / ".env.example").read_text(encoding="utf-8")
        assert values["SECRET_KEY"] not in example
        assert "SECRET_KEY=\n" in example
        secrets.add(values["SECRET_KEY"])
    assert len(secrets) == 2


def test_a_database_that_is_a_file_keeps_its_url(cookies: Cookies, template: Path) -> None:
    line = "DATABASE_URL=sqlite:///var/app:1/app.db"
    (template / TEMPLATE.name / ".env.example").write_text(f"{line}\nSECRET_KEY=\n", "utf-8")

    project = cookies.bake(extra_context={"setup": "no"}, template=str(template)).project_path

    lines = (project / ".env").read_text(encoding="utf-8").splitlines()
    assert lines[0] == line
    assert re.fullmatch("SECRET_KEY=[0-9a-f]{64}", lines[1])
    assert len(lines) == 2


def test_without_set_up_no_program_runs_and_the_next_commands_are_printed(
    cookies: Cookies, template: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    setup = template / TEMPLATE.name / "dev" / "setup.py"
    setup.write_text(NOTE_OF_SET_UP, encoding="utf-8")

    project = cookies.bake(extra_context={"setup": "no"}, template=str(template)).project_path

    assert not (project / "set-up").exists()
    assert not (project / ".git").exists()
    assert not list(project.rglob("__pycache__"))
    printed = capfd.readouterr().out
    assert re.search(r"\n  cd .*my-service\n  make run .*\n  make test .*\n\n$", printed)


@pytest.mark.parametrize("setup", ["no", "yes"])
def test_the_summary_has_the_command_that_generates_the_project_again(
    setup: str, template: Path, tmp_path: Path
) -> None:
    """It is run as it is printed; the folder of the template has a name that shells split."""
    template = template.rename(template.with_name("our 'template'"))
    stand_in = "open('set-up', 'w').close(); print('ready')"
    (template / TEMPLATE.name / "dev" / "setup.py").write_text(stand_in, encoding="utf-8")
    configuration = tmp_path / "cookiecutter.json"
    configuration.write_text(json.dumps({"replay_dir": str(tmp_path / "replay")}), "utf-8")
    program = Path(sys.executable).with_name("cookiecutter")
    shell = {**os.environ, "PWD": str(tmp_path), "PATH": f"{program.parent}:{os.environ['PATH']}"}

    def run(*command: str | Path) -> str:
        done = subprocess.run(
            command, cwd=tmp_path, env=shell, capture_output=True, text=True, check=True
        )
        return done.stdout

    answers = (f"setup={setup}", 'description=It\'s "ours" & 100 % $HOME')
    said = run(program, template, "--no-input", "--config-file", configuration, *answers)

    assert "my-service is generated from release " in said
    assert ": items on SQLite, auth none, background_jobs none, deployment docker, ci gith" in said
    assert ("ready" in said.partition("is generated")[0]) == (setup == "yes")
    [command] = re.findall(r"^  (cookiecutter .*)$", said, re.MULTILINE)
    run("sh", "-c", command)
    first, second = (files_of(tmp_path / name) for name in ("my-service", "again/my-service"))
    for name in (".env", "set-up"):
        first.pop(name, None)
        second.pop(name, None)
    assert second == first


def test_a_failed_set_up_keeps_the_project_and_exits_with_0(
    cookies: Cookies, template: Path
) -> None:
    setup = template / TEMPLATE.name / "dev" / "setup.py"
    setup.write_text(NOTE_OF_SET_UP, encoding="utf-8")

    result = cookies.bake(extra_context={"setup": "yes"}, template=str(template))

    assert result.exit_code == 0
    assert (result.project_path / "set-up").read_text(encoding="utf-8") == sys.executable
    assert (result.project_path / ".env").exists()


def test_ctrl_c_during_set_up_keeps_the_project(template: Path, tmp_path: Path) -> None:
    """As from a terminal: the signal reaches cookiecutter, the hook and the set-up at once."""
    setup = template / TEMPLATE.name / "dev" / "setup.py"
    setup.write_text(SET_UP_THAT_IS_STOPPED, encoding="utf-8")
    configuration = tmp_path / "cookiecutter.json"
    configuration.write_text(json.dumps({"replay_dir": str(tmp_path / "replay")}), "utf-8")
    program = Path(sys.executable).with_name("cookiecutter")
    process = subprocess.Popen(
        [program, template, "--no-input", "--config-file", configuration],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    project = tmp_path / "my-service"
    deadline = time.monotonic() + 60
    while not (project / "began").exists() and time.monotonic() < deadline:
        time.sleep(0.05)

    os.killpg(process.pid, signal.SIGINT)
    said, _ = process.communicate(timeout=30)

    assert "Traceback" not in said
    assert (project / "stopped").exists()
    assert (project / ".env").exists()
    assert (project / "texts.toml").exists()


def test_the_second_run_changes_nothing_and_sets_nothing_up(
    cookies: Cookies, template: Path
) -> None:
    project = cookies.bake(extra_context={"setup": "no"}, template=str(template)).project_path
    setup = project / "dev" / "setup.py"
    setup.write_text(NOTE_OF_SET_UP, encoding="utf-8")
    before = files_of(project)

    for _ in range(2):
        assert run_again(template, project).stderr == ""

    assert files_of(project) == before


def test_the_second_run_removes_files_that_were_rendered_again(
    cookies: Cookies, template: Path
) -> None:
    project = cookies.bake(extra_context={"setup": "no"}, template=str(template)).project_path
    (project / "dev" / "server_mariadb.py").touch()

    run_again(template, project)

    assert not (project / "dev" / "server_mariadb.py").exists()


@pytest.mark.parametrize(
    ("commit", "folder", "expected"),
    [
        ("5e1d1ce", "{tmp}/tmpab12cd_3/my-service", True),
        ("", "{tmp}/tmpab12cd_3/my-service", False),
        ("5e1d1ce", "{tmp}/my-service", False),
        ("5e1d1ce", "{tmp}/projects/my-service", False),
        ("5e1d1ce", "/home/me/tmpab12cd_3/my-service", False),
    ],
)
def test_a_rendering_of_cruft_for_comparison_is_recognized(
    commit: str, folder: str, *, expected: bool
) -> None:
    project = Path(folder.format(tmp=Path(tempfile.gettempdir()).resolve()))
    assert is_for_comparison(project, {**ANSWERS, "cruft_commit": commit}) is expected


def test_a_rendering_for_comparison_gets_neither_secret_nor_set_up(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(project)
    monkeypatch.setattr(tempfile, "tempdir", str(project.parent.parent))
    monkeypatch.setattr(
        post_gen_project, "ANSWERS", {**ANSWERS, "setup": "yes", "cruft_commit": "5e1d1ce"}
    )
    folder = project.parent.rename(project.parent.with_name("tmpab12cd_3"))
    monkeypatch.chdir(folder / "my-service")

    post_gen_project.main()

    assert not (folder / "my-service" / ".env").exists()
    assert not (folder / "my-service" / "src/my_service/database/mariadb.py").exists()


def test_nothing_slow_is_imported_without_need() -> None:
    code = "import sys; from hooks import post_gen_project; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        cwd=TEMPLATE.parent,
    )
    slow = {"subprocess", "shutil", "tempfile", "random", "secrets", "signal", "json", "typing"}
    assert not slow & set(done.stdout.split())
