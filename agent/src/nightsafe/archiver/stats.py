"""Counts what a backup has done, for its report and for observers."""

from nightsafe.archiver.folder import BackupCount, Folder
from nightsafe.progress import Advanced, FilesDone, Issue, Observer, Sent
from nightsafe.scanner.lister import Problem

_NOT_CACHED = frozenset({"unreadable", "vanished", "changed", "damaged"})


class BackupStats:
    """Counts files, bytes and blobs, and passes on problems."""

    def __init__(self, tell: Observer) -> None:
        self.count = BackupCount()
        self._tell = tell
        self._sent = self._passed = 0

    def note(self, problems: list[Problem], folder: Folder) -> None:
        """Tell what went wrong; a folder with such a problem is looked at again next time."""
        for kind, path, text in problems:
            folder.is_flawed |= kind in _NOT_CACHED
            self._tell(Issue(kind, path, text))

    def damaged(self, text: str) -> None:
        """Tell of stored data that cannot be read; nothing is told of an empty text."""
        if text:
            self._tell(Issue("damaged", b"", text))

    def notice(self, text: str) -> None:
        """Tell what the user may like to know; nothing is told of an empty text."""
        if text:
            self._tell(Issue("notice", b"", text))

    def files(
        self, folder: Folder, done: list[tuple[bytes, str, int]], *, advance: bool = True
    ) -> None:
        """Count files (name, state, bytes) of a folder. `advance`: their bytes are not told yet."""
        if not done:
            return
        total = sum([size for _, _, size in done])
        self.count.add_files([state for _, state, _ in done])
        self.count.bytes += total
        self._tell(FilesDone(done, folder.path_of))
        folder.files, folder.size = folder.files + len(done), folder.size + total
        if advance:
            self.advanced(total)

    def advanced(self, size: int) -> None:
        """Tell that `size` bytes more were dealt with."""
        self._tell(Advanced(size))

    def unchanged(self, files: int, size: int) -> None:
        """Count what is in an unchanged folder; `passed` tells of it."""
        self.count.unchanged += files
        self.count.bytes += size
        self._passed += size

    def passed(self) -> None:
        """Tell of the bytes in unchanged folders since the last time."""
        if self._passed:
            self.advanced(self._passed)
            self._passed = 0

    def added(self, added: list[int]) -> None:
        """Count new blobs: their number and plain bytes, or nothing."""
        if added:
            self.count.added_blobs += added[0]
            self.count.added_bytes += added[1]

    def sent(self, stored: int) -> None:
        """Tell how many bytes were stored since the last time; `stored` are all of them."""
        if stored > self._sent:
            self._tell(Sent(stored - self._sent))
            self._sent = stored
