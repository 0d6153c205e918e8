"""Times of any year stand in our trees as stock restic writes them."""

import json
import os
import random
import subprocess
from pathlib import Path
from typing import Any

import pytest
from nightsafe.backend.local import LocalBackend

from tests.interop.conftest import AGENT, PASSPHRASE, find_restic
from tests.support import repositories

pytestmark = pytest.mark.interop
SECOND = 1_000_000_000
YEAR = 31_556_952 * SECOND
DATES = 200


def times(place: Path, snapshot: str) -> dict[str, str]:
    """The times of a snapshot's files by their names, as they stand in its trees."""

    def cat(*arguments: str) -> dict[str, Any]:
        command = [find_restic(), "--no-cache", "cat", *arguments]
        found = subprocess.run(command, env=environment(place), check=True, capture_output=True)
        return json.loads(found.stdout)

    root = cat("blob", cat("snapshot", snapshot)["tree"])
    (folder,) = root["nodes"]
    return {node["name"]: node["mtime"] for node in cat("blob", folder["subtree"])["nodes"]}


def environment(place: Path) -> dict[str, str]:
    repository = str(place / "vault")
    return {
        **os.environ,
        "RESTIC_REPOSITORY": repository,
        "RESTIC_PASSWORD": PASSPHRASE,
        "NIGHTSAFE_REPOSITORY": repository,
        "NIGHTSAFE_PASSWORD": PASSPHRASE,
        "NIGHTSAFE_CACHE_DIR": str(place / "cache"),
    }


@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin", "America/St_Johns", "Australia/Sydney"])
def test_times_are_written_alike(
    tmp_path: Path, chance: random.Random, monkeypatch: pytest.MonkeyPatch, zone: str
) -> None:
    """But for the time before zones were agreed on, whose offsets have seconds, which are lost."""
    monkeypatch.setenv("TZ", zone)
    repositories.make(LocalBackend(str(tmp_path / "vault")), PASSPHRASE)
    (tmp_path / "source").mkdir()
    first = -3000 if zone == "UTC" else 1950 - 1970
    for number in range(DATES):
        path = tmp_path / "source" / f"file-{number:03}"
        path.touch()
        last = chance.choice([100, 400, 8030, 20_000])
        os.utime(path, ns=(0, chance.randint(first * YEAR, last * YEAR)))
    for command in ([find_restic(), "--no-cache", "backup", "-q"], [str(AGENT), "backup"]):
        subprocess.run(
            [*command, "source"],
            cwd=tmp_path,
            env=environment(tmp_path),
            check=True,
            capture_output=True,
        )
    command = [find_restic(), "--no-cache", "snapshots", "--json"]
    listed = subprocess.run(command, env=environment(tmp_path), check=True, capture_output=True)
    theirs, ours = [times(tmp_path, entry["id"]) for entry in json.loads(listed.stdout)]
    assert len(ours) == DATES
    assert ours == theirs
