"""The interface to a directory below a restore's target, which addresses entries by name.

No link is ever followed, and a folder that was moved or replaced meanwhile is noticed. Where
the system knows open folders, `opendirectory` holds on to them; elsewhere `nameddirectory`
looks at every folder on the way each time.
"""

import contextlib
import os
import secrets
import stat
import sys
import unicodedata
from collections.abc import Callable, Collection
from typing import Protocol

from nightsafe.errors import RestoreError
from nightsafe.filters.patterns import fold_case
from nightsafe.fs import windows
from nightsafe.fs.files import IS_WINDOWS
from nightsafe.repofile.node_check import means_an_entry
from nightsafe.repofile.tree import Node
from nightsafe.target.metadata import Attributes

_NO_ENTRIES = frozenset((b"", b".", b".."))


class Directory(Protocol):
    """What a restore does in one folder. OSError if it fails; RestoreError if it was moved."""

    handle: int
    """A descriptor of the open folder, -1 if there is none."""
    keeps_files_open: bool
    """Whether a file may get its name while somebody has it open."""

    def identity(self) -> tuple[int, int]:
        """Device and inode."""

    def hold(self) -> "Directory":
        """The same folder once more, to be closed by itself."""

    def close(self) -> None:
        """Let go of the folder."""

    def names(self) -> list[bytes]:
        """What is in it."""

    def status(self, name: bytes) -> os.stat_result:
        """What stands under a name; a link is not followed."""

    def enter(self, name: bytes) -> "Directory":
        """A folder in this one; OSError if it is something else, such as a link to one."""

    def above(self) -> "Directory":
        """The folder that this one lies in, wherever that is by now."""

    def narrow(self, its: Node | Attributes) -> None:
        """Let nobody into this folder who may not be let in when it has these attributes."""

    def hands_down_rights(self) -> bool:
        """Whether what is made in it has rights for others from the beginning."""

    def make_folder(self, name: bytes) -> None:
        """A new folder; FileExistsError if something has the name."""

    def new_file(self, name: bytes) -> int:
        """A new file, open for writing; FileExistsError if something has the name."""

    def open_file(self, name: bytes, flags: int) -> int:
        """Open a file that is there; OSError if it is a link."""

    def complete(self, fd: int, name: bytes, its: Node | Attributes | None) -> list[str]:
        """Close a new file and set its attributes; returns what could not be set, as words."""

    def set_of_file(self, name: bytes, its: Node | Attributes) -> list[str]:
        """Set the attributes of a file that is closed."""

    def set_of_kept(self, name: bytes, its: Node | Attributes) -> list[str]:
        """Set those of a file that was there before, where they differ."""

    def set_of_other(self, name: bytes, its: Node | Attributes) -> list[str]:
        """Set those of a link or a special file."""

    def set_own(self, its: Node | Attributes, *, is_new: bool = False) -> list[str]:
        """Set those of this folder, where they differ; all of them if nobody had it before."""

    def make_link(self, target: bytes, name: bytes) -> None:
        """A symbolic link."""

    def read_link(self, name: bytes) -> bytes:
        """Where a link leads."""

    def make_special(self, name: bytes, mode: int, device: int) -> None:
        """A fifo or a device, as the type in `mode` says."""

    def link(self, name: bytes, to: "Directory", as_name: bytes) -> None:
        """A second name, in the folder `to`, for the regular file `name`."""

    def rename(self, name: bytes, as_name: bytes, *, clears: bool = False) -> None:
        """Give an entry, no folder, another name here, in place of what has it.

        Of folders only empty ones are replaced, unless it `clears` them with all that is below.
        """

    def unlink(self, name: bytes) -> None:
        """Remove an entry that is no folder."""

    def remove(self, name: bytes) -> None:
        """Remove an entry with all that is below; links are not followed."""


def refusal(name: bytes, *, on_windows: bool = IS_WINDOWS) -> str:
    """Why no entry of this name is made in a target, for people; empty if one is."""
    if not means_an_entry(name):
        return f"the name {name[:80]!a} is not allowed there and was not restored"
    reason = windows.refusal(name) if on_windows else ""
    if reason:
        return (
            f"Windows cannot hold the name {name[:80]!a}: {reason}. Restore it on another "
            "computer; what is in a folder of such a name comes back by itself with SNAPSHOT:FOLDER"
        )
    return ""


def are_safe_names(names: Collection[bytes], *, on_windows: bool = IS_WINDOWS) -> bool:
    """Whether all of them are safe, quickly; on Windows False, where each has to be looked at."""
    if on_windows or not _NO_ENTRIES.isdisjoint(names):
        return False
    text = b"".join(names)
    return b"/" not in text and b"\0" not in text


def temporary_name() -> bytes:
    """A name that nobody can guess, for an entry that is not complete yet."""
    return b".nightsafe-%s.part" % secrets.token_hex(8).encode()


def discard(name: bytes, folder: Directory) -> None:
    """Remove a temporary entry, if it is there."""
    with contextlib.suppress(OSError, RestoreError):  # the folder may be gone
        folder.unlink(name)


def is_regular(status: os.stat_result) -> bool:
    """Whether this is a file, and no link or folder."""
    return stat.S_ISREG(mode_of(status))


def mode_of(status: os.stat_result) -> int:
    """The `st_mode`, in which on Windows junctions are links."""
    return windows.Status.of(status).st_mode if IS_WINDOWS else status.st_mode


def tells_case_apart(folder: Directory) -> bool:
    """Whether two names in a folder may differ in nothing but case, as a trial shows."""
    name = temporary_name()
    try:
        os.close(folder.new_file(name))
        try:
            folder.status(name.upper())
        except FileNotFoundError:
            return True
        finally:
            discard(name, folder)
    except OSError:
        return True
    return False


Fold = Callable[[bytes], bytes]
"""What two names have in common that are one to the disk."""


def fold_name(name: bytes) -> bytes:
    """A name without its case; on macOS also without the way in which accents are written."""
    text = name.decode("utf-8", "surrogateescape")
    if sys.platform == "darwin":
        text = unicodedata.normalize("NFC", text)
    return fold_case(text).encode("utf-8", "surrogateescape")


def moved() -> RestoreError:
    """A folder is not where it was."""
    return RestoreError("A folder was moved while it was restored; nothing more is written.")
