"""The texts that a repository holds: read back, and made of nodes."""

from collections.abc import Iterable

from nightsafe.backend.base import ObjectKind
from nightsafe.repofile.tree import encode_tree
from nightsafe.repository.object_loader import load_texts, text_of
from nightsafe.repository.repository import Repository


def load_text(repository: Repository, kind: ObjectKind, name: str) -> bytes:
    """The JSON text of an index, snapshot or lock object; DamagedError if it is unsound."""
    ((_, text),) = load_texts(repository, kind, [name], cache=None)
    return text_of(text)


def tree_of(encoded_nodes: Iterable[str]) -> bytes:
    """A tree blob from its nodes' JSON."""
    return encode_tree(",".join(encoded_nodes).encode())
