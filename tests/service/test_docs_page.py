"""The page at /docs, used in a browser."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.harness.servers import HOST, Service
from tests.harness.variants import ROOT

pytestmark = [pytest.mark.slow, pytest.mark.one_for_each_engine, pytest.mark.open_to_all]

PNG = b"\x89PNG\r\n\x1a\n"


def test_page_works_without_errors_and_without_other_hosts(
    service: Service, tmp_path: Path
) -> None:
    picture = tmp_path / "page.png"
    script = ROOT / "tools" / "make_screenshot.py"

    done = subprocess.run(
        [sys.executable, script, "--at", f"http://{HOST}:{service.port}", picture],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert picture.read_bytes().startswith(PNG)
