"""What the agent's tests share: cheap keys, a repository in a folder, and file makers."""

import gc
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from nightsafe.archiver import archiver
from nightsafe.backend.base import Backend, ObjectKind
from nightsafe.backend.local import LocalBackend
from nightsafe.repository import locks
from nightsafe.repository.repository import Repository
from nightsafe.scanner.stat_trust import StatTrust

from tests.support.agent.rest_server import RestServer, running_server
from tests.support.repositories import CHEAP

PASSPHRASE = "correct horse battery staple"
"""The least work that is accepted; tests derive many keys."""


@pytest.fixture(autouse=True)
def _own_data_directory() -> None:
    """The agent knows nothing of the server, so there are no settings of it to replace."""


@pytest.fixture(autouse=True)
def _own_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Settings and caches of its own for each test; nothing of the developer's leaks in."""
    for name in list(os.environ):
        if name.startswith(("NIGHTSAFE_", "RESTIC_")) and not name.startswith("NIGHTSAFE_TEST_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("NIGHTSAFE_CONFIG_DIR", str(tmp_path / "config-dir"))
    monkeypatch.setenv("NIGHTSAFE_CACHE_DIR", str(tmp_path / "cache-dir"))
    monkeypatch.setenv("NIGHTSAFE_STATE_DIR", str(tmp_path / "state-dir"))


@pytest.fixture(autouse=True)
def _no_settling(monkeypatch: pytest.MonkeyPatch) -> None:
    """A new lock waits a moment for rivals; tests have none."""
    monkeypatch.setattr(locks, "SETTLE_SECONDS", 0)


@pytest.fixture(autouse=True)
def _nothing_is_young(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files of tests are seconds old, and would all be read again by the next backup."""
    monkeypatch.setattr(StatTrust, "before", lambda began: StatTrust(began, began))


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """However slow the computer is: no worker processes where a test does not ask for them."""
    monkeypatch.setattr(archiver, "INLINE_SECONDS", 1e9)


@pytest.fixture(autouse=True)
def _signals() -> Iterator[None]:
    """Commands set a handler, which must not outlive the test."""
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)


@pytest.fixture(autouse=True)
def _what_was_there_before_is_no_garbage() -> Iterator[None]:
    freeze()
    yield
    gc.unfreeze()


def freeze() -> None:
    """Let all that there is be no garbage: before the agent starts workers it looks for some in
    all of this process, and has all the process looked through again after that."""
    gc.collect(1)
    gc.freeze()


@pytest.fixture
def server() -> Iterator[RestServer]:
    """A restic REST server in memory."""
    with running_server() as server:
        yield server


@pytest.fixture
def folder(tmp_path: Path) -> LocalBackend:
    """An empty place for a repository."""
    return LocalBackend(str(tmp_path / "repository"))


@pytest.fixture(scope="session")
def vault(tmp_path_factory: pytest.TempPathFactory) -> Repository:
    """A repository whose key and config the tests' own repositories share: scrypt is slow."""
    place = LocalBackend(str(tmp_path_factory.mktemp("vault")))
    return Repository.create(place, PASSPHRASE, params=CHEAP)


@pytest.fixture
def repository(folder: LocalBackend, vault: Repository) -> Repository:
    """A new repository in `folder`."""
    return copy_vault(vault, folder)


def copy_vault(vault: Repository, place: Backend) -> Repository:
    """An empty repository at `place` with the vault's key and config."""
    place.create()
    for kind in (ObjectKind.KEY, ObjectKind.CONFIG):
        for listing in vault.storage.list(kind):
            place.save(kind, listing.name, vault.storage.load(kind, listing.name))
    return reopen(vault, place)


def reopen(repository: Repository, place: Backend | None = None) -> Repository:
    """The same repository as a new process would see it, without deriving the key again."""
    return Repository(place or repository.storage, repository.master, repository.config)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A small folder to back up."""
    root = tmp_path / "source"
    (root / "inner").mkdir(parents=True)
    (root / "one.txt").write_text("one\n")
    (root / "inner" / "two.txt").write_text("two\n")
    (root / "empty").touch()
    (root / "link").symlink_to("one.txt")
    return root
