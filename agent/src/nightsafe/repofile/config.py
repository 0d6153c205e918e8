"""The repository's `config` object: version, id and chunker parameters.

Stock restic reads the first three fields and ignores ours.
"""

import os
import re
from typing import NamedTuple

import orjson

from nightsafe.chunker.polynomial import is_irreducible, random_polynomial
from nightsafe.errors import DamagedError, UnsupportedError

CHUNKER_FIELD = "nightsafe_chunker"
_HEX = re.compile(r"[0-9a-f]{1,16}")
_ID = re.compile(r"[0-9a-f]{64}")


class ChunkerChoice(NamedTuple):
    """The chunker of a vault. Any change of cut points is a new version."""

    name: str = "gear"
    version: int = 1


class Config(NamedTuple):
    """The decrypted `config`. `chunker` is None in repositories made by stock restic."""

    version: int
    id: str
    polynomial: int
    chunker: ChunkerChoice | None = None

    @classmethod
    def new(cls) -> "Config":
        """Make the config of a new vault: format 2, random id, random irreducible polynomial."""
        return cls(2, os.urandom(32).hex(), random_polynomial(), ChunkerChoice())

    @property
    def compresses(self) -> bool:
        """Whether blobs and unpacked files may be compressed (format 2)."""
        return self.version >= 2

    def encode(self) -> bytes:
        """Encode as JSON, to be sealed."""
        fields: dict[str, object] = {
            "version": self.version,
            "id": self.id,
            "chunker_polynomial": f"{self.polynomial:x}",
        }
        if self.chunker is not None:
            fields[CHUNKER_FIELD] = {"name": self.chunker.name, "version": self.chunker.version}
        return orjson.dumps(fields)

    @classmethod
    def decode(cls, text: bytes) -> "Config":
        """Decode and check. UnsupportedError for newer formats, DamagedError for invalid ones."""
        try:
            fields = orjson.loads(text)
            version, repo_id = fields["version"], fields["id"]
            polynomial_text = fields["chunker_polynomial"]
        except (orjson.JSONDecodeError, KeyError, TypeError):
            raise DamagedError("The repository's config is damaged.") from None
        if version not in (1, 2):
            raise UnsupportedError(
                f"This repository has format {str(version)[:20]}, this agent knows 1 and 2. "
                "Update the agent."
            )
        if not isinstance(repo_id, str) or not _ID.fullmatch(repo_id):
            raise DamagedError("The repository's config is damaged: its id is not valid.")
        polynomial = _read_polynomial(polynomial_text)
        return cls(version, repo_id, polynomial, _read_chunker(fields.get(CHUNKER_FIELD)))


def _read_polynomial(text: object) -> int:
    if isinstance(text, str) and _HEX.fullmatch(text) and is_irreducible(int(text, 16)):
        return int(text, 16)
    raise DamagedError("The repository's config is damaged: its chunker polynomial is not valid.")


def _read_chunker(field: object) -> ChunkerChoice | None:
    if field is None:
        return None
    match field:
        case {"name": str(name), "version": int(version)}:
            choice = ChunkerChoice(name, version)
        case _:
            raise DamagedError("The repository's config is damaged: its chunker is not valid.")
    if choice != ChunkerChoice():
        raise UnsupportedError(
            f"This vault's files are cut by a chunker that this agent does not know "
            f"({name[:40]!a}, version {version}). Update the agent."
        )
    return choice
