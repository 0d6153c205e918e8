"""Maps Windows names, paths and attributes to what a vault stores, as stock restic does.

Pure, so it can be tested on any platform. Paths and names are UTF-8, as Python returns them on
Windows when asked for bytes.
"""

import ntpath
import os
import re
import stat
from collections.abc import Mapping
from typing import NamedTuple

_READ_ONLY, _DIRECTORY, _REPARSE_POINT = 0x1, 0x10, 0x400
_LINKS = (0xA000000C, 0xA0000003)
"""Reparse tags of symbolic links, and of junctions or mounted volumes."""
_EXTENDED, _EXTENDED_SHARE = rb"\\?" + b"\\", rb"\\?\UNC" + b"\\"
_FORBIDDEN = re.compile(r'[\x00-\x1f<>:"/\\|?*]')
_DEVICE = re.compile(
    r"(?:CON|PRN|AUX|NUL|CONIN\$|CONOUT\$|(?:COM|LPT)[1-9\u00b9\u00b2\u00b3])", re.IGNORECASE
)
_DRIVE = re.compile(rb"([A-Za-z]):(?:[\\/]|\Z)")


class Status(NamedTuple):
    """The status of an entry on Windows: no owner, inode or link count.

    Times are in nanoseconds since 1970. The time of a change of status is not known, so it is that
    of the content.
    """

    st_mode: int
    st_size: int
    st_mtime_ns: int
    st_ctime_ns: int
    st_ino: int = 0
    st_uid: int = 0
    st_gid: int = 0
    st_nlink: int = 0
    st_dev: int = 0
    st_rdev: int = 0

    @classmethod
    def of(cls, status: os.stat_result) -> "Status":
        """Convert a Windows stat result."""
        attributes: int = getattr(status, "st_file_attributes", 0)
        mode = mode_of(attributes, getattr(status, "st_reparse_tag", 0))
        return cls(mode, status.st_size, status.st_mtime_ns, status.st_mtime_ns)


def mode_of(attributes: int, reparse_tag: int) -> int:
    """Return the POSIX `st_mode` for file attributes; read-only applies to everybody."""
    mode = 0o444 if attributes & _READ_ONLY else 0o666
    if attributes & _REPARSE_POINT and reparse_tag in _LINKS:
        return stat.S_IFLNK | mode
    if attributes & _DIRECTORY:
        return stat.S_IFDIR | mode | 0o111
    return stat.S_IFREG | mode


def link_target(text: bytes) -> bytes:
    """Strip the prefix that Windows stores in the targets of junctions."""
    if text.startswith(_EXTENDED_SHARE):
        return rb"\\" + text[len(_EXTENDED_SHARE) :]
    plain = text.removeprefix(_EXTENDED)
    return plain if _DRIVE.match(plain) else text


def extended(path: bytes) -> bytes:
    """Return the path with the prefix that lifts the limit of 260 characters."""
    if path.startswith((_EXTENDED, rb"\\." + b"\\")):
        return path
    drive, rest = ntpath.splitdrive(path)
    # An absolute path is not passed to the system, which would strip trailing dots and spaces.
    path = ntpath.normpath(path) if drive and rest[:1] in b"\\/" else ntpath.abspath(path)
    if path.startswith(rb"\\"):
        return _EXTENDED_SHARE + path[2:]
    return _EXTENDED + path


def volume_name(drive: bytes) -> bytes:
    """Return the name of a drive or share in a snapshot: ``C`` for ``C:``."""
    return drive[:1] if len(drive) == 2 and drive.endswith(b":") else drive


def stored_path(path: bytes) -> bytes:
    """Return a Windows path as snapshots store it: ``/C/x`` for ``C:\\x``; others unchanged."""
    if not _DRIVE.match(path):
        return path
    return b"/" + path[:1] + path[2:].replace(b"\\", b"/")


def name_problem(name: bytes) -> str:
    """Explain why Windows cannot hold an entry of this name; empty if it can."""
    try:
        text = name.decode("utf-8", "surrogatepass")
    except UnicodeDecodeError:
        return "it is not Unicode"
    if found := _FORBIDDEN.search(text):
        return f"it holds {found[0]!a}"
    if text.endswith((".", " ")):
        return "it ends with a dot or a space"
    if _DEVICE.fullmatch(text.partition(".")[0].rstrip(" ")):
        return "it means a device there"
    return ""


def account(environ: Mapping[str, str]) -> str:
    """Return the name of the user who runs this process, with the domain if there is one."""
    name, domain = environ.get("USERNAME", ""), environ.get("USERDOMAIN", "")
    return f"{domain}\\{name}" if name and domain else name
