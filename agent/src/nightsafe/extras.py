"""What stands in the target and not in the snapshot: found and, when wished, removed."""

import contextlib
import os
from collections.abc import Iterable, Iterator

from nightsafe.directory import Directory, Fold
from nightsafe.tree import Node
from nightsafe.walk import Chosen
from nightsafe.windows import stored_path


class Extras:
    """Looks through folders that the snapshot holds whole.

    Above the paths that were backed up a snapshot holds folders only in part: what else
    stands there has nothing to do with it, and is never touched.
    """

    def __init__(
        self,
        sources: Iterable[str],
        root: Iterable[Node],
        *,
        below: bytes,
        chosen: Chosen,
        fold: Fold,
    ) -> None:
        self._fold = fold
        self._below = below
        self._chosen = chosen
        top = {node.name for node in root}
        self._whole = [_stored_path(os.fsencode(source), top) for source in sources]

    def find(self, path: bytes, known: Iterable[Node], folder: Directory | None) -> Iterator[bytes]:
        """Names in the folder, `path` in the snapshot, that `known` does not hold."""
        if folder is None or not self._is_whole(self._below + path):
            return
        names = {self._fold(node.name) for node in known}
        with contextlib.suppress(OSError):
            for name in folder.names():
                if self._fold(name) not in names and self._chosen.wants(path + b"/" + name):
                    yield name

    def _is_whole(self, path: bytes) -> bool:
        return any(path == whole or path.startswith(whole + b"/") for whole in self._whole)


def _stored_path(source: bytes, top: set[bytes]) -> bytes:
    """Where a source stands in the snapshot: by its whole path, or by its name alone."""
    source = b"/" + stored_path(source).strip(b"/")
    if source == b"/":
        return b""
    first = source.split(b"/")[1]
    return source if first in top else b"/" + source.rpartition(b"/")[2]
