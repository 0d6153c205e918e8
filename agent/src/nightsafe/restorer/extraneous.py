"""Finds and, if asked, removes entries of the target that the snapshot does not have."""

from nightsafe.repository.tree_walker import Chosen
from nightsafe.restorer.completeness import Completeness, Held
from nightsafe.restorer.report import RestoreReporter
from nightsafe.restorer.tree_filter import FilteredTree
from nightsafe.target.directory import Directory, Fold


class LeftError(Exception):
    """Something may have to be removed, but it cannot be told; the text says why, for people."""


class ExtraneousEntries:
    """Looks through folders of the target for what is not in the snapshot.

    Only in folders that the snapshot holds whole, with a list that was read whole: by any other
    list a file would go because its name was lost. Above the paths that were backed up a
    snapshot holds folders in part, and what else stands there has nothing to do with it.
    """

    def __init__(
        self,
        extent: Completeness,
        *,
        below: bytes,
        chosen: Chosen,
        fold: Fold,
        dry_run: bool,
    ) -> None:
        self._extent = extent
        self._below = below
        self._chosen = chosen
        self._fold = fold
        self._dry_run = dry_run

    def remove(
        self, path: bytes, known: FilteredTree, folder: Directory | None, tell: RestoreReporter
    ) -> None:
        """Remove what the snapshot does not hold from the folder, `path` from the target.

        With `dry_run` it is only told. What cannot be removed, or must not be, is told as well.
        """
        try:
            names = self.find(path, known, folder)
        except LeftError as error:
            tell.failed(path, str(error))
            return
        except OSError as error:
            reason = (error.strerror or "").lower()
            tell.failed(path, f"nothing was deleted in it: {reason}")
            return
        for name in names:
            entry = path + b"/" + name
            try:
                if folder is not None and not self._dry_run:
                    folder.remove(name)
                tell.deleted(entry)
            except OSError as error:
                tell.failed(entry, f"it was not deleted: {(error.strerror or '').lower()}")

    def find(self, path: bytes, known: FilteredTree, folder: Directory | None) -> list[bytes]:
        """Names in the folder, `path` from the target, that the snapshot does not hold.

        LeftError if there may be some that cannot be told, OSError if it cannot be listed.
        """
        held = self._extent.of(self._below + path)
        if folder is None or held is Held.PART:
            return []
        names = {self._fold(node.name) for node in known.nodes}
        extras = [
            name
            for name in folder.names()
            if self._fold(name) not in names and self._chosen.wants(path + b"/" + name)
        ]
        if extras and not known.is_whole:
            raise LeftError("nothing was deleted in it, since the snapshot's list of it is damaged")
        if extras and held is Held.UNKNOWN:
            raise LeftError(
                "nothing was deleted in it, since it cannot be told whether the snapshot holds "
                "all that was there"
            )
        return extras
