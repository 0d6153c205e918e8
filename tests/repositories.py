"""New repositories for tests that are about something else.

Stock restic takes three seconds of a processor to find out how dear a key it can afford, and half
a second for each command after that; a key of the least cost that is accepted takes a twentieth.
"""

import hashlib

from nightsafe.config import Config
from nightsafe.crypto import Sealer, SealKey
from nightsafe.keys import KdfParams, wrap
from nightsafe.storage import CONFIG_NAME, ObjectKind, Storage

CHEAP = KdfParams(1 << 14, 8, 1)


def make(storage: Storage, passphrase: str, *, by_restic: bool = False) -> None:
    """Make what the agent makes, or stock restic, but for the key's cost."""
    master, config = SealKey.random(), Config.new()
    if by_restic:
        config = config._replace(chunker=None)
    key_object = wrap(master, passphrase, CHEAP)
    storage.create()
    storage.save(ObjectKind.KEY, hashlib.sha256(key_object).hexdigest(), key_object)
    storage.save(ObjectKind.CONFIG, CONFIG_NAME, Sealer(master).seal(config.encode()))
