"""Where a folder's name looks like an address: both programs find the same repository."""

import os
import subprocess
from pathlib import Path

import pytest

from tests.interop.conftest import AGENT, PASSPHRASE, find_restic

pytestmark = pytest.mark.interop


@pytest.fixture(autouse=True)
def _own_data_directory() -> None:
    """The agent knows nothing of the server, so there are no settings of it to replace."""


@pytest.mark.parametrize("address", ["local:s3:vault", "local:./http:vault", "/{}/a:b", "c:/vault"])
def test_the_same_folder(tmp_path: Path, address: str) -> None:
    address = address.format(str(tmp_path).strip("/"))
    environment = os.environ | {
        "RESTIC_PASSWORD": PASSPHRASE,
        "NIGHTSAFE_PASSWORD": PASSPHRASE,
        "NIGHTSAFE_CACHE_DIR": str(tmp_path / "cache"),
    }
    for command in (
        [find_restic(), "--no-cache", "--repo", address, "init"],
        [str(AGENT), "--repository", address, "snapshots"],
    ):
        done = subprocess.run(
            command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
