"""Parses and checks the names of objects in restic's protocol.

Pure: no database, no store. Source: restic's description of its REST protocol.
"""

import re
from dataclasses import dataclass
from enum import StrEnum

HEX64 = re.compile(r"[0-9a-f]{64}")
VAULT = re.compile(r"[a-z2-7]{20}")
CONFIG_NAME = "config"
ATTEMPT = re.compile(r"[0-9a-f]{32}")

KIB, MIB, GIB = 1024, 1024**2, 1024**3


class ObjectType(StrEnum):
    """The types of a vault's objects, with the words of the protocol's addresses."""

    CONFIG = "config"
    KEY = "keys"
    LOCK = "locks"
    INDEX = "index"
    SNAPSHOT = "snapshots"
    DATA = "data"


# The largest body of each type, in bytes. Packs are 16 MiB by default and 128 MiB at most; locks
# have some 200 bytes, whatever names of computers and people are in them.
SIZE_LIMITS = {
    ObjectType.CONFIG: 64 * KIB,
    ObjectType.KEY: 64 * KIB,
    ObjectType.LOCK: 4 * KIB,
    ObjectType.INDEX: 512 * MIB,
    ObjectType.SNAPSHOT: 64 * MIB,
    ObjectType.DATA: 2 * GIB,
}


# The smallest: what is sealed has a nonce and a MAC of 16 bytes each beside its contents, and a key
# is JSON that holds such. Of packs nothing is said here.
SEAL = 32
LEAST_SIZES = {
    ObjectType.CONFIG: SEAL + 1,
    ObjectType.KEY: SEAL + 1,
    ObjectType.LOCK: SEAL + 1,
    ObjectType.INDEX: SEAL + 1,
    ObjectType.SNAPSHOT: SEAL + 1,
    ObjectType.DATA: 0,
}


class InvalidNameError(ValueError):
    """A type, object name or store key that does not have the one permitted form."""


class UnknownTypeError(InvalidNameError):
    """There is no such type of object."""


@dataclass(frozen=True)
class ObjectName:
    """A checked pair of type and name."""

    type: ObjectType
    name: str

    @property
    def expected_sha256(self) -> str | None:
        """The hash the bytes must have (64 hex digits), or None where the name is fixed."""
        return None if self.type is ObjectType.CONFIG else self.name

    @property
    def size_limit(self) -> int:
        """The largest number of bytes an object of this type may have."""
        return SIZE_LIMITS[self.type]

    @property
    def least_size(self) -> int:
        """The smallest number of bytes an object of this type may have."""
        return LEAST_SIZES[self.type]

    def __str__(self) -> str:
        return self.name if self.type is ObjectType.CONFIG else f"{self.type}/{self.name}"


CONFIG = ObjectName(ObjectType.CONFIG, CONFIG_NAME)


def parse_type(text: str) -> ObjectType:
    """Return the listable type named `text`. Raises UnknownTypeError."""
    try:
        kind = ObjectType(text)
    except ValueError:
        kind = ObjectType.CONFIG
    if kind is ObjectType.CONFIG:
        raise UnknownTypeError(f"There is no object type {text[:40]!r}.")
    return kind


def parse_name(type_text: str, name: str) -> ObjectName:
    """Return the object named by two parts of an address. Raises InvalidNameError."""
    kind = parse_type(type_text)
    if not HEX64.fullmatch(name):
        raise InvalidNameError("An object's name is 64 lower-case hexadecimal digits.")
    return ObjectName(kind, name)


@dataclass(frozen=True)
class StoreKey:
    """Where one attempt's bytes lie in a region; never used twice."""

    vault: str
    object: ObjectName
    attempt: str

    def __str__(self) -> str:
        return f"{self.vault}/{self.object.type}/{self.object.name}/{self.attempt}"


def parse_store_key(text: str) -> StoreKey:
    """Return the parts of a store key, as found in a listing. Raises InvalidNameError."""
    parts = text.split("/")
    if len(parts) != 4:
        raise InvalidNameError(f"Not a store key: {text[:200]!r}")
    vault, kind, name, attempt = parts
    if not VAULT.fullmatch(vault) or not ATTEMPT.fullmatch(attempt):
        raise InvalidNameError(f"Not a store key: {text[:200]!r}")
    if kind == ObjectType.CONFIG:
        if name != CONFIG_NAME:
            raise InvalidNameError(f"Not a store key: {text[:200]!r}")
        return StoreKey(vault, CONFIG, attempt)
    return StoreKey(vault, parse_name(kind, name), attempt)
