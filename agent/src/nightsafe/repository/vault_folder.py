"""The local folder for one vault's caches and journals."""

import hashlib
import hmac
import os

from nightsafe.crypto.seal_key import SealKey


def vault_folder(cache_dir: str, master: SealKey, vault_id: str) -> str:
    """Where this computer keeps things about one vault; the name says nothing about it."""
    key = master.encrypt + master.mac_k + master.mac_r
    tag = hmac.new(key, b"nightsafe/cache/1" + vault_id.encode(), hashlib.sha256)
    return os.path.join(cache_dir, "vaults", tag.hexdigest()[:32])
