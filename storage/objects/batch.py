"""A batch of objects in the control API: its limits, and the result for each object."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from storage.errors import RefusedError, TooLargeError
from storage.object_names import GIB, ObjectType
from storage.stores.base import PresignedRequest

MAX_OBJECTS = 256
MAX_BYTES = GIB  # of more than one object
# What may go straight to a region's store and come from there: each is named by its bytes' hash.
TYPES = {ObjectType.DATA, ObjectType.INDEX}


class ItemStatus(StrEnum):
    """What becomes of one item of a batch."""

    THERE = "there"  # live with a good replica: nothing to send
    PUT = "put"  # send it to the address that follows
    GATEWAY = "gateway"  # send it through the gateway
    REFUSED = "refused"  # it will not be taken; `code` and `message` say why
    GET = "get"  # read it from the address that follows
    STORED = "stored"  # durable and on record
    MISSING = "missing"  # the store has nothing under this attempt yet
    EXPIRED = "expired"  # given up; announce it again
    UNKNOWN = "unknown"  # no attempt of this credential
    BUSY = "busy"  # the store could not be asked; commit again later


@dataclass(frozen=True)
class ItemResult:
    """The result for one item of a batch."""

    status: ItemStatus
    code: str = ""
    message: str = ""
    attempt: str = ""
    size: int | None = None
    request: PresignedRequest | None = None
    until: datetime | None = None
    refused_with: int | None = None  # the HTTP status that it alone would have been answered with


def require_few(count: int, what: str) -> None:
    """Raise TooLargeError if a batch has more than MAX_OBJECTS of `what`."""
    if count > MAX_OBJECTS:
        raise TooLargeError(f"A batch has at most {MAX_OBJECTS} {what}, and there are {count}.")


def refused(error: RefusedError) -> ItemResult:
    """Return the result for an item that is refused."""
    return ItemResult(
        ItemStatus.REFUSED, code=error.code, message=str(error), refused_with=error.status
    )
