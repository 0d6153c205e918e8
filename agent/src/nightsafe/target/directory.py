"""The interface to a directory below a restore's target, which addresses entries by name.

No link is ever followed, and a folder that was moved or replaced meanwhile is noticed. Where the
platform supports it, `directory_by_fd` keeps folders open; elsewhere `directory_by_path` checks
every folder on the path before each operation.
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
from nightsafe.repofile.node_check import is_entry_name
from nightsafe.repofile.tree import Node
from nightsafe.target.metadata import Attributes

_NO_ENTRIES = frozenset((b"", b".", b".."))


class Directory(Protocol):
    """A folder of a restore. OSError if an operation fails; RestoreError if it was moved."""

    handle: int
    """The descriptor of the open folder, -1 if there is none."""
    keeps_files_open: bool
    """Whether an open file can be renamed."""

    def identity(self) -> tuple[int, int]:
        """Return the device and inode."""

    def duplicate(self) -> "Directory":
        """Return the same folder again, to be closed separately."""

    def close(self) -> None:
        """Close the folder."""

    def names(self) -> list[bytes]:
        """Return the names in it, unsorted."""

    def status(self, name: bytes) -> os.stat_result:
        """Return the status of an entry, not following a link."""

    def enter(self, name: bytes) -> "Directory":
        """Open a subfolder; OSError if it is anything else, such as a link to one."""

    def above(self) -> "Directory":
        """Open the parent folder, wherever that is by now."""

    def restrict(self, attributes: Node | Attributes) -> None:
        """Deny access to everybody who will have none once it has these attributes."""

    def has_default_acl(self) -> bool:
        """Whether new entries inherit rights for others from an access list."""

    def make_folder(self, name: bytes) -> None:
        """Make a folder; FileExistsError if the name is taken."""

    def new_file(self, name: bytes) -> int:
        """Create a file and open it for writing; FileExistsError if the name is taken."""

    def open_file(self, name: bytes, flags: int) -> int:
        """Open an existing file; OSError if it is a link."""

    def complete(self, fd: int, name: bytes, attributes: Node | Attributes | None) -> list[str]:
        """Close a new file and set its attributes; returns the names of those that failed."""

    def set_attributes(self, name: bytes, attributes: Node | Attributes) -> list[str]:
        """Set the attributes of a closed file; returns the names of those that failed."""

    def update_attributes(self, name: bytes, attributes: Node | Attributes) -> list[str]:
        """Set the attributes of an existing file, where they differ."""

    def set_special_attributes(self, name: bytes, attributes: Node | Attributes) -> list[str]:
        """Set the attributes of a link or a special file."""

    def set_own_attributes(
        self, attributes: Node | Attributes, *, is_new: bool = False
    ) -> list[str]:
        """Set the attributes of this folder, all if it is new, else those that differ."""

    def make_link(self, target: bytes, name: bytes) -> None:
        """Make a symbolic link."""

    def read_link(self, name: bytes) -> bytes:
        """Return the target of a link."""

    def make_special(self, name: bytes, mode: int, device: int) -> None:
        """Make a fifo or a device, by the type in `mode`."""

    def link(self, name: bytes, to: "Directory", as_name: bytes) -> None:
        """Make a hard link to the regular file `name`, in the folder `to`."""

    def rename(self, name: bytes, as_name: bytes, *, clears: bool = False) -> None:
        """Rename an entry that is not a folder, replacing an existing entry.

        A folder is replaced only if it is empty, unless it `clears` folders with all their
        contents.
        """

    def unlink(self, name: bytes) -> None:
        """Remove an entry that is not a folder."""

    def remove(self, name: bytes) -> None:
        """Remove an entry and everything below it, not following links."""


def name_problem(name: bytes, *, on_windows: bool = IS_WINDOWS) -> str:
    """Explain why no entry of this name is made in a target; empty if one is."""
    if not is_entry_name(name):
        return f"the name {name[:80]!a} is not allowed there and was not restored"
    reason = windows.name_problem(name) if on_windows else ""
    if reason:
        return (
            f"Windows cannot hold the name {name[:80]!a}: {reason}. Restore it on another "
            "computer; what is in a folder of such a name comes back by itself with SNAPSHOT:FOLDER"
        )
    return ""


def are_safe_names(names: Collection[bytes], *, on_windows: bool = IS_WINDOWS) -> bool:
    """Whether all names are safe; on Windows False, since each needs its own check."""
    if on_windows or not _NO_ENTRIES.isdisjoint(names):
        return False
    text = b"".join(names)
    return b"/" not in text and b"\0" not in text


def temporary_name() -> bytes:
    """Make an unguessable name for an entry that is not complete yet."""
    return b".nightsafe-%s.part" % secrets.token_hex(8).encode()


def discard(name: bytes, folder: Directory) -> None:
    """Remove a temporary entry if it exists."""
    with contextlib.suppress(OSError, RestoreError):  # the folder may be gone
        folder.unlink(name)


def is_regular(status: os.stat_result) -> bool:
    """Whether this is a regular file, not a link or folder."""
    return stat.S_ISREG(mode_of(status))


def mode_of(status: os.stat_result) -> int:
    """Return the `st_mode`; on Windows, junctions count as links."""
    return windows.Status.of(status).st_mode if IS_WINDOWS else status.st_mode


def is_case_sensitive(folder: Directory) -> bool:
    """Test with a temporary file whether names in a folder may differ in case only."""
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
"""Maps names that the file system considers equal to one value."""


def fold_name(name: bytes) -> bytes:
    """Fold the case of a name; on macOS normalise its accents as well."""
    text = name.decode("utf-8", "surrogateescape")
    if sys.platform == "darwin":
        text = unicodedata.normalize("NFC", text)
    return fold_case(text).encode("utf-8", "surrogateescape")


def moved_error() -> RestoreError:
    """Make the error for a folder that is no longer where it was."""
    return RestoreError("A folder was moved while it was restored; nothing more is written.")
