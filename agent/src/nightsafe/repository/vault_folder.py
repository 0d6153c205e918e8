"""Names the local folder for a vault's caches and journals."""

import hashlib
import hmac
import os

from nightsafe.crypto.seal_key import SealKey


def vault_folder(cache_dir: str, master: SealKey, vault_id: str) -> str:
    """Return the local folder for a vault; its name reveals nothing about the vault."""
    key = master.encrypt + master.mac_k + master.mac_r
    tag = hmac.new(key, b"nightsafe/cache/1" + vault_id.encode(), hashlib.sha256)
    return os.path.join(cache_dir, "vaults", tag.hexdigest()[:32])
