"""Nothing is removed by a list that is not known to be whole."""

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from nightsafe.archiver.backup import BackupOptions, backup
from nightsafe.backend.rest import RestBackend
from nightsafe.cli import main
from nightsafe.errors import RefusedError
from nightsafe.maintenance.forget import remove_snapshots
from nightsafe.maintenance.prune import PruneOptions, prune
from nightsafe.maintenance.prune_plan import parse_limit
from nightsafe.repository.repository import Repository

from tests.support.agent.rest_server import RestServer, connect_string
from tests.unit.agent.conftest import PASSPHRASE, copy_vault, reopen

EVERYTHING = PruneOptions(limit=parse_limit("0"))


@pytest.fixture
def remote(
    server: RestServer, vault: Repository, source: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Repository]:
    """Four snapshots on a server, of three hosts, each with data of its own."""
    monkeypatch.setenv("NIGHTSAFE_PASSWORD", PASSPHRASE)
    monkeypatch.setenv("NIGHTSAFE_REPOSITORY", connect_string(server))
    monkeypatch.setenv("NIGHTSAFE_PATIENCE", "0")
    storage = RestBackend(connect_string(server), patience=0)
    made = copy_vault(vault, storage)
    for host in ("one", "two", "two", "three"):
        (source / "changing").write_bytes(os.urandom(100_000))
        backup(reopen(made), [os.fsencode(source)], BackupOptions(hostname=host))
    yield made
    storage.close()


def stored(server: RestServer) -> dict[str, bytes]:
    return {n: data for n, data in server.objects.items() if not n.startswith("locks/")}


def listed(repository: Repository) -> list[str]:
    return [one.id for one in repository.load_snapshots().sound]


def change_lists(server: RestServer, change: Callable[[list[Any]], Any], times: int = 99) -> None:
    """Lists of snapshots are answered so from now on."""

    def answer(body: bytes) -> bytes:
        try:
            return json.dumps(change(json.loads(body))).encode()
        except ValueError:
            return body  # a snapshot

    server.fail(method="GET", path="snapshots/", change=answer, times=times)


def cut(entries: list[Any]) -> list[Any]:
    return entries[:-1]


def repeat(entries: list[Any]) -> list[Any]:
    return [*entries[:-1], entries[0]]


def forget_cache() -> None:
    """This computer has never seen the vault."""
    folder = Path(os.environ["NIGHTSAFE_CACHE_DIR"])
    folder.rename(folder.with_name("elsewhere"))


@pytest.mark.parametrize("change", [cut, repeat, lambda entries: []])
def test_prune_removes_nothing_by_a_list_that_lacks_what_was_seen(
    remote: Repository, server: RestServer, change: Callable[[list[Any]], Any]
) -> None:
    listed(remote)
    before = stored(server)
    change_lists(server, change)
    with pytest.raises(RefusedError):
        prune(reopen(remote), EVERYTHING)
    assert stored(server) == before


@pytest.mark.parametrize("change", [cut, repeat, lambda entries: []])
def test_prune_lists_again_before_it_removes(
    remote: Repository, server: RestServer, change: Callable[[list[Any]], Any]
) -> None:
    """Also on a computer that has never seen the vault, where the first list alone was wrong."""
    remove_snapshots(remote, remote.load_snapshots().sound[:1])
    forget_cache()
    before = stored(server)
    change_lists(server, change, times=1)
    with pytest.raises(RefusedError):
        prune(reopen(remote), EVERYTHING)
    assert stored(server) == before


def test_no_snapshot_at_all_is_not_believed(remote: Repository, server: RestServer) -> None:
    remove_snapshots(remote, remote.load_snapshots().sound)
    before = stored(server)
    assert main(["prune"]) == 1
    assert main(["prune", "--dry-run"]) == 1
    assert stored(server) == before
    assert main(["prune", "--allow-empty"]) == 0
    assert {name.partition("/")[0] for name in stored(server)} == {"config", "keys"}


def test_forgetting_all_may_prune_all(remote: Repository, server: RestServer) -> None:
    assert main(["forget", *listed(remote), "--yes", "--prune"]) == 0
    assert {name.partition("/")[0] for name in stored(server)} == {"config", "keys"}


def test_a_trial_of_forgetting_all_prunes_nothing(
    remote: Repository, server: RestServer, capsys: pytest.CaptureFixture[str]
) -> None:
    before = stored(server)
    assert main(["forget", *listed(remote), "--dry-run", "--prune", "--json"]) == 0
    assert stored(server) == before
    last = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert (last["packs_kept"], last["used_bytes"]) == (0, 0)


@pytest.mark.parametrize("state", ["damaged", "repeated", "not there"])
def test_rules_forget_nothing_when_not_all_is_known(
    remote: Repository, server: RestServer, capsys: pytest.CaptureFixture[str], state: str
) -> None:
    newest = listed(remote)[-1]
    forget_cache()
    if state == "damaged":
        server.objects[f"snapshots/{newest}"] = b"rotten"
    elif state == "repeated":
        change_lists(server, repeat)
    else:
        change_lists(server, lambda entries: [*entries, {"name": "ab" * 32, "size": 5}])
    before = stored(server)
    for arguments in (["--keep-last", "1"], ["latest"], ["--keep-last", "1", "--dry-run"]):
        assert main(["forget", *arguments, "--group-by", "", "--yes"]) == 1
        assert "not all snapshots are known" in capsys.readouterr().err
    assert stored(server) == before


def test_a_damaged_snapshot_is_forgotten_by_its_id(remote: Repository, server: RestServer) -> None:
    *others, newest = listed(remote)
    forget_cache()
    server.objects[f"snapshots/{newest}"] = b"rotten"
    assert main(["prune"]) == 1
    assert main(["forget", newest[:12], "--yes"]) == 0
    assert listed(remote) == others
    assert main(["prune"]) == 0


def test_what_rules_keep_must_still_be_there(remote: Repository, server: RestServer) -> None:
    """Somebody else forgot meanwhile what this one would have kept for the sake of the others."""
    found = remote.load_snapshots().sound
    before = stored(server)
    del server.objects[f"snapshots/{found[-1].id}"], before[f"snapshots/{found[-1].id}"]
    with pytest.raises(RefusedError, match="not listed any more"):
        remove_snapshots(remote, found[:2], keep=found[2:])
    assert stored(server) == before


@pytest.mark.parametrize("options", [["--host", "one"], ["--tag", "a"], ["--path", "/p"]])
def test_filters_and_ids_are_not_mixed(
    remote: Repository, server: RestServer, options: list[str]
) -> None:
    before = stored(server)
    assert main(["forget", listed(remote)[0], *options, "--yes"]) == 1
    assert stored(server) == before


def test_the_latest_is_told_apart_from_what_cannot_be_read(
    remote: Repository, server: RestServer, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    older, newest = listed(remote)[-2:]
    forget_cache()
    server.objects[f"snapshots/{newest}"] = b"rotten"
    for verb in (["ls"], ["restore", "--target", str(tmp_path / "t")]):
        assert main([*verb, "latest"]) == 0
        said = capsys.readouterr().err
        assert f"Snapshot {newest[:8]} cannot be read" in said
        assert older[:8] in said
        assert main([*verb, newest[:10]]) == 1
        assert f"Snapshot {newest[:8]} cannot be read" in capsys.readouterr().err
