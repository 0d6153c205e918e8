"""Stock restic and the agent get to a server by the same proxy, with the same authority."""

import os
import subprocess
from pathlib import Path
from urllib.parse import quote

import pytest
from nightsafe.backend.rest import RestBackend
from nightsafe.repository.repository import Repository

from tests.interop.test_agent_local import PASSPHRASE, _own_data_directory, pytestmark
from tests.support import repositories
from tests.support.agent.certificates import Authority
from tests.support.agent.rest_server import SECRET, USER
from tests.support.programs import program
from tests.unit.agent.backend.test_connections import CREDENTIAL, HOST, at, proxy, secure

__all__ = ["_own_data_directory", "pytestmark"]


@pytest.mark.parametrize("variable", ["HTTPS_PROXY", "https_proxy"])
def test_the_same_proxy_and_authority(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    authority = Authority(tmp_path)
    source = tmp_path / "file"
    source.write_text("by restic")
    with secure(authority.certificate(HOST)) as server, proxy("me:p@ss") as (address, seen):
        monkeypatch.setenv(variable, f"http://me:p%40ss@{address}")
        storage = RestBackend(
            at(server, "https"), CREDENTIAL, patience=1, cacert=str(authority.path)
        )
        repositories.make(storage, PASSPHRASE)
        before = len(seen)
        pair = f"{USER}:{quote(SECRET, safe='')}"
        url = at(server, "https").replace("://", f"://{pair}@")
        command = [program("restic"), "-r", f"rest:{url}", "--cacert", str(authority.path)]
        done = subprocess.run(
            [*command, "--no-cache", "backup", str(source)],
            env={**os.environ, "RESTIC_PASSWORD": PASSPHRASE},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        assert before
        assert len(seen) > before
        (snapshot,) = Repository.open(storage, PASSPHRASE).load_snapshots().sound
        assert snapshot.paths == (str(source),)
        storage.close()
