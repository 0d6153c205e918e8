"""The contract of what decides which entries of the folders being backed up are stored."""

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nightsafe.fs.status import Status


class EntryFilter(ABC):
    """Asked of every entry that was listed, from the top down; it goes to workers by pickle."""

    @abstractmethod
    def __call__(self, path: bytes, name: bytes, status: "Status") -> bool:
        """Whether the entry `name` at `path`, which `status` describes, is to be stored."""

    def excludes(self, path: bytes) -> bool:
        """Whether a path would be left out by what it is called, had it not been given."""
        return False

    def wants_all(self, names: bytes) -> bool:
        """Whether it is sure, by their names alone, that all entries of a folder that is wanted
        are wanted, too. The names have zeros between them."""
        return False
