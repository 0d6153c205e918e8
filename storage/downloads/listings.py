"""Lists a vault's objects, however many, in bounded memory.

The database is read in one go, so that a list is of one moment, into a file that is kept in memory
while it is small; a client takes it from there as slowly as it likes and holds no connection of the
database meanwhile. Names and sizes need no escaping in JSON: hexadecimal digits and numbers.
"""

import tempfile
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import islice
from typing import IO

from storage.errors import BusyError
from storage.models import StoredObject, Vault
from storage.object_names import MIB, ObjectType

IN_MEMORY = MIB  # bytes of a list, from which on it lies on the disk
PAGE = 5000  # objects
CHUNK = 256 * 1024  # bytes
NAMED = '"%s"'
SIZED = '{"name":"%s","size":%d}'


@dataclass(frozen=True)
class Listing:
    """A list as JSON, of `length` bytes. Its chunks can be taken once."""

    length: int
    _file: IO[bytes]

    @property
    def is_small(self) -> bool:
        """Whether it is kept in memory."""
        return self.length <= IN_MEMORY

    def chunks(self) -> Iterator[bytes]:
        """Yield it piece by piece, and close the file."""
        with self._file:
            while piece := self._file.read(CHUNK):
                yield piece


def of_objects(vault: Vault, kind: ObjectType, *, with_sizes: bool) -> Listing:
    """Return the vault's live objects of one type, in the order of their names."""
    objects = StoredObject.objects.live().filter(vault=vault, type=kind)
    fields = ("name", "size") if with_sizes else ("name",)
    return _spooled(objects.order_by("name").values_list(*fields).iterator(PAGE), with_sizes)


def of_pairs(pairs: Iterable[tuple[str, int]], *, with_sizes: bool) -> Listing:
    """Return a list of these names and sizes (bytes)."""
    rows = pairs if with_sizes else ((name,) for name, _ in pairs)
    return _spooled(rows, with_sizes)


def text_of(rows: Iterable[tuple[str, int]]) -> str:
    """Return a list with sizes as text, for lists of bounded length."""
    return f"[{','.join(map(SIZED.__mod__, rows))}]"


def _spooled(rows: Iterable[tuple[object, ...]], with_sizes: bool) -> Listing:
    form = SIZED.__mod__ if with_sizes else NAMED.__mod__
    with ExitStack() as stack:
        file = stack.enter_context(tempfile.SpooledTemporaryFile(IN_MEMORY))
        try:
            length = write(file, map(form, rows))
        except OSError as error:
            raise BusyError("There is no room to prepare a list as long as this one.") from error
        stack.pop_all()  # whoever takes the chunks closes it
    return Listing(length, file)


def write(file: IO[bytes], entries: Iterator[str]) -> int:
    """Write a list, a page at a time, and rewind; return its length."""
    file.write(b"[")
    separator = b""
    while page := ",".join(islice(entries, PAGE)):
        file.write(separator + page.encode("ascii"))
        separator = b","
    file.write(b"]")
    length = file.tell()
    file.seek(0)
    return length
