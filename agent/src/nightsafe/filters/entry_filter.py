"""The contract of a filter that decides which entries a backup stores."""

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nightsafe.fs.status import Status


class EntryFilter(ABC):
    """Called for every listed entry, parents first; it is pickled for worker processes."""

    @abstractmethod
    def __call__(self, path: bytes, name: bytes, status: "Status") -> bool:
        """Whether to store the entry `name` at `path`, with the `lstat` data `status`."""

    def excludes(self, path: bytes) -> bool:
        """Whether a path would be excluded by its name, had it not been given."""
        return False

    def includes_all(self, names: bytes) -> bool:
        """Whether NUL-separated `names` alone show that an included folder's entries all are."""
        return False
