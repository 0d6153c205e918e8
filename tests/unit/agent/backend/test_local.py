"""What only a folder can do wrong: foreign files, torn writes, permissions, a full disk."""

import errno
import os
from pathlib import Path

import pytest
from nightsafe.backend.base import ObjectKind
from nightsafe.backend.local import LocalBackend
from nightsafe.errors import AccessRefusedError, StorageError, StorageFullError

NAME = "ab" * 32


@pytest.fixture
def made(folder: LocalBackend) -> LocalBackend:
    folder.create()
    return folder


def files(folder: LocalBackend) -> list[str]:
    return sorted(str(p) for p in Path(folder.location).rglob("*") if p.is_file())


def test_foreign_files_are_not_listed(made: LocalBackend) -> None:
    for path in (f"data/ab/{NAME}-tmp-123", "data/README", "data/ab/x", "keys/.hidden"):
        Path(made.location, path).write_text("x")
    assert list(made.list(ObjectKind.DATA)) == []
    assert list(made.list(ObjectKind.KEY)) == []


def test_objects_cannot_be_written_to(made: LocalBackend) -> None:
    made.save(ObjectKind.DATA, NAME, b"x")
    (path,) = files(made)
    assert os.stat(path).st_mode & 0o777 == 0o400


def test_a_torn_object_is_replaced(made: LocalBackend) -> None:
    Path(made.location, "data", "ab", NAME).write_bytes(b"half")
    made.save(ObjectKind.DATA, NAME, b"half and half")
    assert made.load(ObjectKind.DATA, NAME) == b"half and half"


@pytest.mark.parametrize(
    ("code", "error"),
    [
        (errno.ENOSPC, StorageFullError),
        (errno.EDQUOT, StorageFullError),
        (errno.EROFS, AccessRefusedError),
        (errno.EIO, StorageError),
    ],
)
@pytest.mark.parametrize("call", ["write", "fsync", "replace"])
def test_a_failed_write_leaves_nothing(
    made: LocalBackend,
    monkeypatch: pytest.MonkeyPatch,
    call: str,
    code: int,
    error: type[StorageError],
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise OSError(code, os.strerror(code))

    with monkeypatch.context() as patch:
        patch.setattr(os, call, fail)
        with pytest.raises(error):
            made.save(ObjectKind.DATA, NAME, b"bytes")
    assert files(made) == []
