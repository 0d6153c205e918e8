"""The folders of these tests: open to the ordinary user, whatever else runs beside them."""

import os
import subprocess
import sys
from pathlib import Path

from tests.hardship.conftest import OrdinaryAgent


def test_another_run_of_pytest_does_not_close_them(
    ordinary: OrdinaryAgent, own_folder: Path, tmp_path: Path
) -> None:
    (tmp_path / "test_one.py").write_text("def test_one(tmp_path):\n    assert tmp_path.exists()\n")
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:django", "."],
        cwd=tmp_path,
        env={k: v for k, v in os.environ.items() if k not in ("PYTEST_ADDOPTS", "PYTHONPATH")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    (own_folder / "source").mkdir(mode=0o755)
    (own_folder / "source" / "file").write_bytes(b"x")
    ordinary.run("backup", str(own_folder / "source"))
