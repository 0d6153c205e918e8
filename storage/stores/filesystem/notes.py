"""The service's own notes in a region's directory, beside the vaults."""

import io
import shutil
from pathlib import Path

from storage.stores.base import NOTES, require_note
from storage.stores.filesystem.staging import Staging


class FileNotes:
    """Notes below a folder of the region's root. Raises what the staging says of errors."""

    def __init__(self, root: Path, staging: Staging) -> None:
        self._folder = root / NOTES
        self._staging = staging

    def write(self, name: str, content: bytes, *, once: bool) -> None:
        """Write a note, durably; if `once`, raises KeyExistsError where there is one."""
        require_note(name, content)
        final = self._folder / name
        with self._staging.file(io.BytesIO(content), len(content)) as staged:
            if once:
                self._staging.publish(staged, final)
            else:
                self._staging.replace(staged, final)

    def read(self, name: str) -> bytes | None:
        """Return a note; None if there is none."""
        require_note(name)
        try:
            return (self._folder / name).read_bytes() or None  # a claim, of a writer killed
        except FileNotFoundError:
            return None
        except OSError as error:
            raise self._staging.meaning(error) from error

    def names(self, word: str) -> list[str]:
        """Return the names of notes that begin with a word and a slash."""
        try:
            return sorted(f"{word}/{note.name}" for note in (self._folder / word).iterdir())
        except FileNotFoundError:
            return []
        except OSError as error:
            raise self._staging.meaning(error) from error

    def drop(self) -> None:
        """Remove all notes."""
        try:
            if self._folder.exists():
                shutil.rmtree(self._folder)
        except OSError as error:
            raise self._staging.meaning(error) from error
