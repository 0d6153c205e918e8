"""Finds and optionally removes entries of the target that the snapshot does not have."""

from nightsafe.repository.tree_walker import Selection
from nightsafe.restorer.completeness import Completeness, Coverage
from nightsafe.restorer.report import RestoreReporter
from nightsafe.restorer.tree_filter import FilteredTree
from nightsafe.target.directory import Directory, Fold


class NotDeletedError(Exception):
    """Extraneous entries may exist but cannot be told from others; the text says why."""


class ExtraneousEntries:
    """Finds extraneous entries in folders of the target.

    Only in folders that the snapshot holds completely, and whose tree was read completely:
    otherwise a file would be removed because its name was lost. Above the paths that were backed
    up, a snapshot holds folders in part, and their other entries are none of its business.
    """

    def __init__(
        self,
        completeness: Completeness,
        *,
        below: bytes,
        selection: Selection,
        fold: Fold,
        dry_run: bool,
    ) -> None:
        self._completeness = completeness
        self._below = below
        self._selection = selection
        self._fold = fold
        self._dry_run = dry_run

    def remove(
        self, path: bytes, tree: FilteredTree, folder: Directory | None, reporter: RestoreReporter
    ) -> None:
        """Remove extraneous entries from a folder, given by its path from the target.

        With `dry_run` they are only reported, as are those that cannot or must not be removed.
        """
        try:
            names = self.find(path, tree, folder)
        except NotDeletedError as error:
            reporter.failed(path, str(error))
            return
        except OSError as error:
            reason = (error.strerror or "").lower()
            reporter.failed(path, f"nothing was deleted in it: {reason}")
            return
        for name in names:
            entry = path + b"/" + name
            try:
                if folder is not None and not self._dry_run:
                    folder.remove(name)
                reporter.deleted(entry)
            except OSError as error:
                reporter.failed(entry, f"it was not deleted: {(error.strerror or '').lower()}")

    def find(self, path: bytes, tree: FilteredTree, folder: Directory | None) -> list[bytes]:
        """Return the extraneous names in a folder, given by its path from the target.

        NotDeletedError if there may be some that cannot be told from others, OSError if it cannot
        be listed.
        """
        coverage = self._completeness.of(self._below + path)
        if folder is None or coverage is Coverage.PART:
            return []
        names = {self._fold(node.name) for node in tree.nodes}
        extraneous = [
            name
            for name in folder.names()
            if self._fold(name) not in names and self._selection.includes(path + b"/" + name)
        ]
        if extraneous and not tree.is_whole:
            raise NotDeletedError(
                "nothing was deleted in it, since the snapshot's list of it is damaged"
            )
        if extraneous and coverage is Coverage.UNKNOWN:
            raise NotDeletedError(
                "nothing was deleted in it, since it cannot be told whether the snapshot holds "
                "all that was there"
            )
        return extraneous
