"""docs/template.yaml records what a project was made from: enough for an update, and no secret."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.harness.baked import clean_environment
from tests.harness.releases import git

PROGRAM = Path(sys.executable).with_name("cookiecutter")


def recorded(folder: Path, address: str | Path, *options: str) -> dict[str, str]:
    """Generate a project in the folder and return its record of the template."""
    settings = folder / "settings.json"
    folders = {name: str(folder / name) for name in ("replay_dir", "cookiecutters_dir")}
    settings.write_text(json.dumps(folders), encoding="utf-8")
    subprocess.run(
        [PROGRAM, address, "--no-input", "--config-file", settings, *options, "setup=no"],
        cwd=folder,
        env=clean_environment({"GIT_DIR": "/nowhere"} if not options else {}),
        check=True,
        capture_output=True,
    )
    text = (folder / "my-service/docs/template.yaml").read_text(encoding="utf-8")
    record: dict[str, str] = yaml.safe_load(text)["template"]
    return record


@pytest.fixture
def repository(template: Path) -> Path:
    """The small template, in a git repository with one commit and a tag."""
    git(template, "init", "--quiet", "--initial-branch", "main")
    git(template, "add", "--all")
    git(template, "commit", "--quiet", "--message", "All")
    git(template, "tag", "7.0.0")
    return template


def commit_of(repository: Path) -> str:
    """Return the id of its commit."""
    return git(repository, "rev-parse", "HEAD").strip()


def test_a_folder_is_recorded_as_it_is(template: Path, tmp_path: Path) -> None:
    record = recorded(tmp_path, "template")

    assert (record["address"], record["commit"]) == (str(template), "")
    assert (
        record["release"] == json.loads((template / "cookiecutter.json").read_text())["__version"]
    )


def test_a_folder_of_a_repository_that_is_not_the_template_has_no_commit(
    template: Path, tmp_path: Path
) -> None:
    git(tmp_path, "init", "--quiet")
    git(tmp_path, "commit", "--quiet", "--allow-empty", "--message", "Empty")

    record = recorded(tmp_path, template)

    assert (record["address"], record["commit"]) == (str(template), "")


@pytest.mark.parametrize(
    ("remote", "address"),
    [
        ("https://me:s3cret@git.example.com/t.git", "https://git.example.com/t.git"),
        ("https://oauth2:s3cret@git.example.com/t", "https://git.example.com/t"),
        ("ssh://git:s3cret@git.example.com:22/t", "ssh://git@git.example.com:22/t"),
        ("git@git.example.com:t.git", "git@git.example.com:t.git"),
    ],
)
def test_a_clone_is_recorded_by_its_remote_without_secrets(
    remote: str, address: str, repository: Path, tmp_path: Path
) -> None:
    git(repository, "remote", "add", "origin", remote)

    record = recorded(tmp_path, repository)

    assert (record["address"], record["commit"]) == (address, commit_of(repository))
    found = [path for path in (tmp_path / "my-service").rglob("*") if path.is_file()]
    assert [path for path in found if b"s3cret" in path.read_bytes()] == []


def test_what_cookiecutter_clones_is_recorded_by_its_address(
    repository: Path, tmp_path: Path
) -> None:
    """As with `gh:`, which cookiecutter replaces: the clone knows where it came from."""
    address = f"file://{repository}"

    record = recorded(tmp_path, f"git+{address}", "--checkout", "7.0.0")

    assert (record["address"], record["commit"]) == (address, commit_of(repository))


def test_an_archive_is_recorded_wherever_it_was_given(repository: Path, tmp_path: Path) -> None:
    archive = tmp_path / "template-7.0.0.zip"
    git(repository, "archive", "--prefix=template/", "--output", str(archive), "HEAD")

    record = recorded(tmp_path, archive.name)

    assert (record["address"], record["commit"]) == (str(archive), "")
