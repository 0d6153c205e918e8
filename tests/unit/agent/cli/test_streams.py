"""The command whose standard streams are closed, or cannot be written to."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from nightsafe.backend.base import ObjectKind
from nightsafe.repository.repository import Repository

from tests.unit.agent.conftest import PASSPHRASE


@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&-", "<&-"])
def test_a_backup_without_anybody_to_talk_to(
    repository: Repository, source: Path, closed: str
) -> None:
    """As from a daemon that closed everything: the command that is installed, by a real shell."""
    done = as_a_shell_runs_it(repository, f'backup "$1" {closed}', source)
    assert (done.returncode, "Traceback" in done.stderr) == (0, False)
    assert len(list(repository.storage.list(ObjectKind.SNAPSHOT))) == 1


@pytest.mark.parametrize("as_json", ["", "--json"])
def test_an_output_that_cannot_be_written_ends_no_backup(
    repository: Repository, source: Path, as_json: str
) -> None:
    done = as_a_shell_runs_it(repository, f'backup {as_json} "$1" > /dev/full', source)
    assert done.returncode == 1
    assert done.stderr.count("cannot be written (No space left on device)") == 1
    assert done.stderr.count("\n") == 1
    assert len(list(repository.storage.list(ObjectKind.SNAPSHOT))) == 1


@pytest.mark.parametrize("how", ["", "--long", "--json"])
def test_a_list_that_cannot_be_written_is_said_once(
    repository: Repository, source: Path, how: str
) -> None:
    """Its lines go out many at a time, the last of them at the end."""
    as_a_shell_runs_it(repository, 'backup "$1"', source)
    done = as_a_shell_runs_it(repository, f"ls {how} latest > /dev/full", source)
    assert done.returncode == 1
    assert done.stderr.count("cannot be written (No space left on device)") == 1
    assert done.stderr.count("\n") == 1


def as_a_shell_runs_it(
    repository: Repository, line: str, source: Path
) -> "subprocess.CompletedProcess[str]":
    binary = Path(sys.executable).with_name("nightsafe")
    environment = {
        **os.environ,
        "NIGHTSAFE_REPOSITORY": repository.storage.location,
        "NIGHTSAFE_PASSWORD": PASSPHRASE,
    }
    command = ["sh", "-c", f"{binary} {line}", "sh", str(source)]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
