"""Snapshots of what no backup would write: trees from nodes or from any bytes."""

from nightsafe.backend.base import ObjectKind
from nightsafe.repofile.pack import BlobKind
from nightsafe.repofile.snapshot import Snapshot
from nightsafe.repofile.tree import Node, encode_node
from nightsafe.repository.repository import Repository

from tests.support.agent.stored_texts import tree_of
from tests.support.agent.uploader import Uploader


def store(repository: Repository, *blobs: bytes, kind: BlobKind = BlobKind.DATA) -> list[bytes]:
    """Store blobs; return their ids."""
    uploader = Uploader(repository)
    ids = [uploader.add(kind, blob) for blob in blobs]
    uploader.flush()
    return ids


def store_tree(repository: Repository, *entries: Node | str) -> bytes:
    """Store a tree of nodes, or of entries as they stand in JSON; return its id."""
    texts = [encode_node(entry) if isinstance(entry, Node) else entry for entry in entries]
    return store(repository, tree_of(texts), kind=BlobKind.TREE)[0]


def snapshot_of(repository: Repository, tree: bytes, *paths: str) -> Snapshot:
    """Store a snapshot of a tree, made of these paths, `/` if none is given."""
    snapshot = Snapshot(time=1, tree=tree, paths=paths or ("/",), hostname="here")
    name = repository.save_text(ObjectKind.SNAPSHOT, snapshot.encode())
    return snapshot._replace(id=name)
