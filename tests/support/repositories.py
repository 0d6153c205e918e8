"""New repositories for tests that are about something else.

Stock restic takes three seconds of a processor to find out how dear a key it can afford, and half
a second for each command after that; a key of the least cost that is accepted takes a twentieth.
"""

import base64
import hashlib
import json
import os

from nightsafe.backend.base import CONFIG_NAME, Backend, ObjectKind
from nightsafe.crypto.seal_key import SealKey
from nightsafe.crypto.sealer import Sealer
from nightsafe.repofile.config import Config
from nightsafe.repofile.key import KdfParams, derive, wrap

CHEAP = KdfParams(1 << 14, 8, 1)


def make(storage: Backend, passphrase: str, *, by_restic: bool = False) -> SealKey:
    """Make what the agent makes, or stock restic, but for the key's cost; returns its key."""
    master, config = SealKey.random(), Config.new()
    if by_restic:
        config = config._replace(chunker=None)
    key_object = wrap(master, passphrase, CHEAP)
    storage.create()
    storage.save(ObjectKind.KEY, hashlib.sha256(key_object).hexdigest(), key_object)
    storage.save(ObjectKind.CONFIG, CONFIG_NAME, Sealer(master).seal(config.encode()))
    return master


def key_of_cost(master: SealKey, passphrase: str, params: KdfParams) -> bytes:
    """Return a key object of any cost, as stock restic writes it; the agent writes no weak one."""
    salt = os.urandom(64)
    parts = [base64.b64encode(part).decode() for part in (master.mac_k, master.mac_r)]
    text: dict[str, object] = {"mac": {"k": parts[0], "r": parts[1]}}
    text["encrypt"] = base64.b64encode(master.encrypt).decode()
    sealed = Sealer(derive(passphrase, salt=salt, params=params)).seal(json.dumps(text).encode())
    fields: dict[str, object] = {"created": "2026-01-02T03:04:05.678901234+01:00", "hostname": "h"}
    fields |= {"kdf": "scrypt", "N": params.n, "r": params.r, "p": params.p}
    fields |= {"salt": base64.b64encode(salt).decode(), "data": base64.b64encode(sealed).decode()}
    return json.dumps(fields).encode()


def add_key(storage: Backend, master: SealKey, passphrase: str, params: KdfParams) -> str:
    """Store one more key, of any cost; returns its name."""
    key_object = key_of_cost(master, passphrase, params)
    name = hashlib.sha256(key_object).hexdigest()
    storage.save(ObjectKind.KEY, name, key_object)
    return name
