"""Folders as values: made, and read back with all that a backup must keep."""

import os
import stat
from pathlib import Path
from typing import Any


def fingerprint(root: Path) -> dict[bytes, tuple[Any, ...]]:
    """Everything below a folder that must survive, by relative path."""
    found: dict[bytes, tuple[Any, ...]] = {}
    first_name: dict[tuple[int, int], bytes] = {}
    top = os.fsencode(root)
    todo = [b""]
    while todo:
        below = todo.pop()
        for name in sorted(os.listdir(os.path.join(top, below))):
            relative = os.path.join(below, name)
            path = os.path.join(top, relative)
            status = os.lstat(path)
            found[relative] = _entry(path, status, relative, first_name)
            if stat.S_ISDIR(status.st_mode):
                todo.append(relative)
    return found


def _entry(
    path: bytes,
    status: os.stat_result,
    relative: bytes,
    first_name: dict[tuple[int, int], bytes],
) -> tuple[Any, ...]:
    mode = status.st_mode
    same_as: bytes | None = None
    content: bytes | None = None
    if stat.S_ISREG(mode):
        with open(path, "rb") as file:
            content = file.read()
        if status.st_nlink > 1:
            same_as = first_name.setdefault((status.st_dev, status.st_ino), relative)
    elif stat.S_ISLNK(mode):
        content = os.readlink(path)
    names = () if stat.S_ISLNK(mode) else os.listxattr(path, follow_symlinks=False)
    xattrs = {name: os.getxattr(path, name, follow_symlinks=False) for name in names}
    owner = (status.st_uid, status.st_gid) if os.geteuid() == 0 else ()
    return (mode, status.st_mtime_ns, content, same_as, xattrs, status.st_rdev, owner)


def make_mixed_tree(root: Path) -> None:
    """One of each thing that a file system can hold, as far as this user may make it."""
    root.mkdir()
    top = os.fsencode(root)
    (root / "empty").touch()
    (root / "empty-dir").mkdir()
    (root / "small.txt").write_text("small\n")
    (root / "large.bin").write_bytes(os.urandom(7_000_001))
    (root / "repeated.bin").write_bytes((root / "large.bin").read_bytes()[:3_000_000] * 2)
    (root / "link").symlink_to("small.txt")
    (root / "dangling").symlink_to('no/such <&> "target"')
    (root / "hard-1").write_text("shared")
    os.link(root / "hard-1", root / "hard-2")
    os.mkfifo(root / "fifo", 0o640)
    for mode, name in ((0o4755, "setuid"), (0o2755, "setgid"), (0o000, "no-mode")):
        (root / name).write_text(name)
        os.chmod(root / name, mode)
    (root / "sticky").mkdir()
    os.chmod(root / "sticky", 0o1777)
    with open(root / "sparse", "wb") as file:
        file.truncate(12 << 20)
        file.seek(5 << 20)
        file.write(b"in the middle")
    for odd in odd_names():
        with open(os.path.join(top, odd), "wb") as file:
            file.write(b"odd: " + odd)
    set_xattr(root / "small.txt", "user.colour", b"brass")
    set_xattr(root / "small.txt", "user.empty", b"")
    set_xattr(root / "empty-dir", "user.bytes", bytes(range(256)))
    deep = root
    for _ in range(70):
        deep = deep / "deeper"
        deep.mkdir()
    (deep / "leaf").write_text("far down")
    os.utime(root / "small.txt", ns=(1_234_567_890_123_456_789, 987_654_321_000_000_100))
    os.utime(root / "link", ns=(10**18, 10**18 + 7), follow_symlinks=False)
    os.utime(root / "empty-dir", ns=(10**18, 1_500_000_000_000_000_000))


def set_xattr(path: Path, name: str, value: bytes) -> None:
    """Set an attribute where the file system knows them."""
    import contextlib

    with contextlib.suppress(OSError):
        os.setxattr(path, name, value)


def odd_names() -> list[bytes]:
    """File names that need every kind of quoting."""
    return [
        b'quote"and\\backslash',
        b"<angle>&amp",
        b"tab\tnewline\nbell\x07del\x7f",
        b"not utf-8 \xff\xfe\xe9",
        b"\xed\xa0\x80 surrogate",
        "caf\u00e9 \u4e2d\u6587 \U0001f600".encode(),
        "\u2028\u2029\u00ad\ufeff\u00a0\ue000\ufffd".encode(),
        b" leading and trailing ",
        b"-rf",
        b"literal \\x41 \\n",
        b"n" * 255,
    ]
