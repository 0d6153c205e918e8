"""What stock restic reads in a repository, the agent reads: over generated forms of its parts."""

import hashlib
import os
import random
from pathlib import Path

from nightsafe.backend.base import ObjectKind
from nightsafe.maintenance.check import check
from nightsafe.maintenance.forget import remove_snapshots
from nightsafe.maintenance.prune import PruneOptions, prune
from nightsafe.maintenance.prune_plan import parse_limit
from nightsafe.repofile.index import encode_index
from nightsafe.repofile.key import KdfParams
from nightsafe.repofile.pack import BlobKind, PackContent
from nightsafe.repofile.snapshot import Snapshot
from nightsafe.repofile.tree import Node, encode_node
from nightsafe.repository.repository import Repository
from nightsafe.repository.unlock import open_key
from nightsafe.restorer.restore import restore

from tests.interop.test_agent_local import (
    PASSPHRASE,
    Place,
    _own_data_directory,
    assert_restic_restores,
    mixed,
    place,
    pytestmark,
)
from tests.support.agent import odd_frames
from tests.support.agent.packs import store_pack
from tests.support.agent.split_index import split_index
from tests.support.agent.stored_texts import tree_of
from tests.support.repositories import add_key

__all__ = ["_own_data_directory", "mixed", "place", "pytestmark"]
TIME = 10**18


def test_a_repository_in_odd_frames_is_one_to_both(
    place: Place, mixed: Path, tmp_path: Path, chance: random.Random
) -> None:
    place.init_by_agent()
    place.agent_backup(mixed)
    (mixed / "small.txt").write_text("changed")
    place.restic("backup", str(mixed))
    rewrite_in_place(place.opened(), chance)
    assert "no errors were found" in place.restic("check", "--read-data")
    assert check(place.opened(), read_data=True).errors == []
    assert_restic_restores(place, mixed, tmp_path / "by-restic")
    place.agent_restore(tmp_path / "by-agent")
    repository = place.opened()
    remove_snapshots(repository, repository.load_snapshots().sound[:1])
    assert prune(place.opened(), PruneOptions(limit=parse_limit("0"))).repacked
    assert "no errors were found" in place.restic("check", "--read-data")


def rewrite_in_place(repository: Repository, chance: random.Random) -> None:
    """Write everything anew in odd frames, then remove what was there."""
    kinds = (ObjectKind.SNAPSHOT, ObjectKind.INDEX, ObjectKind.DATA)
    before = [(kind, list(repository.storage.list(kind))) for kind in kinds]
    odd_frames.rewritten(repository, repository, chance)
    for kind, listings in before:
        for listing in listings:
            repository.storage.remove(kind, listing.name)


def test_whatever_frames_restic_reads_the_agent_reads(
    place: Place, tmp_path: Path, chance: random.Random
) -> None:
    place.init_by_agent()
    texts = {f"{number:03}": chance.randbytes(40) * 60 for number in range(60)}
    store(place.opened(), {name: (text, bent(text, chance)) for name, text in texts.items()})
    restic = place.start_restic("restore", "latest", "--target", str(tmp_path / "by-restic"))
    restic.communicate(timeout=120)
    by_restic = right_ones(tmp_path / "by-restic", texts)
    assert 10 < len(by_restic) < len(texts)
    repository = place.opened()
    repository.load_index()
    newest = repository.load_snapshots().sound[-1]
    report = restore(repository, newest, os.fsencode(tmp_path / "by-agent"))
    assert by_restic <= right_ones(tmp_path / "by-agent", texts)
    said = {os.fsdecode(issue.path).lstrip("/") for issue in report.issues}
    assert said == texts.keys() - right_ones(tmp_path / "by-agent", texts)


def test_packs_listed_in_parts_are_whole_to_both(
    place: Place, mixed: Path, tmp_path: Path, chance: random.Random
) -> None:
    place.init_by_agent()
    place.agent_backup(mixed)
    (mixed / "small.txt").write_text("changed")
    place.restic("backup", str(mixed))
    split_index(place.opened(), chance)  # which restic reads; from 0.19 on its check complains
    assert check(place.opened(), read_data=True).errors == []
    assert_restic_restores(place, mixed, tmp_path / "by-restic")
    place.agent_restore(tmp_path / "by-agent")
    repository = place.opened()
    remove_snapshots(repository, repository.load_snapshots().sound[:1])
    for limit in ("unlimited", "0"):  # restic's own prune is not to be trusted with such packs
        prune(place.opened(), PruneOptions(limit=parse_limit(limit)))
        assert "no errors were found" in place.restic("check", "--read-data")
        split_index(place.opened(), chance)


def test_keys_of_any_cost_open_for_both(place: Place, chance: random.Random) -> None:
    place.init_by_agent()
    master = place.opened().master
    ((before, _),) = place.storage.list(ObjectKind.KEY)
    for _ in range(5):
        n, r, p = 2 ** chance.randrange(1, 16), chance.randrange(1, 9), chance.randrange(1, 4)
        params = KdfParams(n, r, p)
        name = add_key(place.storage, master, PASSPHRASE, params)
        place.storage.remove(ObjectKind.KEY, before)
        before = name
        assert place.snapshots() == []
        opening = open_key(place.storage, PASSPHRASE)
        assert (opening.master, opening.is_weak) == (master, params.is_weak), params


def bent(text: bytes, chance: random.Random) -> bytes:
    """Frames of any kind, of which about half are damaged in some way."""
    frames = odd_frames.anyhow(text, chance)
    match chance.randrange(6):
        case 0:
            return frames[: chance.randrange(len(frames))]
        case 1:
            at = chance.randrange(len(frames))
            return frames[:at] + bytes([frames[at] ^ 1 << chance.randrange(8)]) + frames[at + 1 :]
        case 2:
            return chance.choice(list(odd_frames.unsound(text).values()))
        case _:
            return frames


def store(repository: Repository, files: dict[str, tuple[bytes, bytes]]) -> None:
    """Store a snapshot of files whose blobs have these texts in these frames, one pack each."""
    packs, nodes = [], []
    for name, (text, frames) in files.items():
        blob = hashlib.sha256(text).digest()
        packs.append(save(repository, BlobKind.DATA, blob, frames, plain_length=len(text)))
        node = Node(name.encode(), "file", 0o644, TIME, TIME, TIME, size=len(text), content=(blob,))
        nodes.append(encode_node(node))
    tree = tree_of(nodes)
    root = hashlib.sha256(tree).digest()
    packs.append(save(repository, BlobKind.TREE, root, tree, plain_length=0))
    repository.save_text(ObjectKind.INDEX, encode_index(packs))
    repository.save_text(ObjectKind.SNAPSHOT, Snapshot(TIME, root, ("/",), "host").encode())


def save(
    repository: Repository, kind: BlobKind, blob: bytes, text: bytes, *, plain_length: int
) -> PackContent:
    return store_pack(repository, kind, (blob, repository.sealer.seal(text), plain_length))


def right_ones(folder: Path, texts: dict[str, bytes]) -> set[str]:
    """Which files of the folder have their texts."""
    return {
        name
        for name, text in texts.items()
        if (folder / name).exists() and (folder / name).read_bytes() == text
    }
