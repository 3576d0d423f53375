"""tools/install_newer.sh takes what the machine has, and says what it could not get."""

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.harness.variants import NEWEST, NEWEST_SERVERS, ROOT

SCRIPT = ROOT / "tools" / "install_newer.sh"

NEW = {
    **{f"python{version}": "exit 0" for version in NEWEST},
    "initdb": "echo 'initdb (PostgreSQL) 18.6 (Debian 18.6-3)'",
    "mariadbd": "echo 'mariadbd  Ver 11.8.9-MariaDB-4 from Debian'",
    "mariadb-install-db": "exit 0",
    "mysqld": "echo '/usr/sbin/mysqld  Ver 9.7.4-2 for Linux on x86_64'",
}
OLD = {
    **{f"python{version}": "exit 127" for version in NEWEST},
    "mariadbd": "echo 'mariadbd  Ver 10.11.14-MariaDB'",
    "mysqld": "echo 'mysqld  Ver 10.11.14-MariaDB'",
}
ROOT_USER = {"id": "echo 0"}
ANYBODY = {"id": "echo 1000"}
FAILING = {
    "apt-get": "printf '%s\\n' 'old-updates main http://b' 'old main http://a' 'old x http://c'",
    "debootstrap": 'echo "debootstrap $*" ; echo "its reason" >&2; exit 1',
}


def run(
    folder: Path, programs: Mapping[str, str], system: str = "debian", **variables: str
) -> tuple[int, str]:
    """Run the script on a machine with these programs, and return its status and output."""
    path = folder / "programs"
    path.mkdir()
    for name, text in programs.items():
        program = path / name
        program.write_text(f"#!/bin/sh\n{text}\n", encoding="utf-8")
        program.chmod(0o755)
    release = folder / "os-release"
    release.write_text(f"ID={system}\nVERSION_CODENAME=old\n", encoding="utf-8")
    done = subprocess.run(
        [SCRIPT],
        env={
            "PATH": f"{path}{os.pathsep}/usr/bin{os.pathsep}/bin",
            "HOME": str(folder),
            "NEWER_FOLDER": str(folder / "newer"),
            "OS_RELEASE": str(release),
            **variables,
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout


def test_nothing_is_done_where_the_machine_has_all(tmp_path: Path) -> None:
    assert run(tmp_path, {**NEW, **FAILING, **ROOT_USER}, CI="true") == (0, "")
    assert not (tmp_path / "newer").exists()


@pytest.mark.parametrize("name", sorted(NEW.keys() & OLD.keys()))
def test_one_missing_program_is_missed(tmp_path: Path, name: str) -> None:
    status, said = run(tmp_path, {**NEW, name: OLD[name], **ANYBODY}, CI="true")
    assert status == 1
    assert said.startswith("Not on this machine: ")
    words = {"python": "Python", "mariadbd": "MariaDB 11.8", "mysqld": "MySQL 8.4"}
    assert words[name.rstrip("0123456789.")] in said
    assert said.count(",") == 1  # that of the last sentence: one program is named


@pytest.mark.parametrize(
    ("programs", "system", "remedy"),
    [
        (ANYBODY, "debian", "Run 'sudo tools/install_newer.sh', which gets them into a folder"),
        (ROOT_USER, "fedora", "Install them, or newer ones, so that they are on the path."),
        (FAILING | ROOT_USER, "debian", "fix the cause above"),
        (ROOT_USER | {"apt-get": "exit 0"}, "debian", "apt names no mirror of debian old"),
    ],
    ids=["not root", "another system", "failed", "no mirror"],
)
@pytest.mark.parametrize("ci", ["", "true"], ids=["by hand", "CI"])
def test_what_is_missing_is_named_and_an_error_only_in_ci(
    tmp_path: Path, programs: dict[str, str], system: str, remedy: str, ci: str
) -> None:
    status, said = run(tmp_path, {**OLD, **programs}, system, CI=ci)
    assert status == bool(ci)
    for each in (f"Python {version}" for version in NEWEST):
        assert each in said
    assert f"MariaDB {NEWEST_SERVERS['mariadb']}, MySQL 8.4. " in said
    assert remedy in said


@pytest.mark.parametrize(
    ("system", "suite", "script"), [("debian", "sid", "sid"), ("ubuntu", "devel", "gutsy")]
)
def test_the_newest_suite_comes_from_the_mirror_of_the_machine(
    tmp_path: Path, system: str, suite: str, script: str
) -> None:
    _, said = run(tmp_path, {**OLD, **FAILING, **ROOT_USER}, system)
    [line] = (line for line in said.splitlines() if line.startswith("debootstrap "))
    assert line.split()[-4:] == [suite, f"{tmp_path}/newer/root", "http://a", script]
    assert "its reason" in said


def test_a_list_of_mirrors_is_read(tmp_path: Path) -> None:
    """As on the machines that GitHub gives."""
    mirrors = tmp_path / "mirrors.txt"
    mirrors.write_text("# near\nhttp://near/ubuntu\tpriority:1\nhttp://far\n", encoding="utf-8")
    listed = {"apt-get": f"echo 'old main mirror+file:{mirrors}'"}
    _, said = run(tmp_path, {**OLD, **FAILING, **listed, **ROOT_USER}, "ubuntu")
    assert f"devel {tmp_path}/newer/root http://near/ubuntu gutsy" in said


def test_a_failed_attempt_is_repeated(tmp_path: Path) -> None:
    run(tmp_path, {**OLD, **FAILING, **ROOT_USER})
    again = tmp_path / "again"
    again.mkdir()
    _, said = run(again, {**OLD, **FAILING, **ROOT_USER}, NEWER_FOLDER=str(tmp_path / "newer"))
    assert "its reason" in said
