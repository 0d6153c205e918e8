"""Asks for mail about what happened in a vault: the one place from which storage does so.

A notice is asked for inside the transaction of what it is about, once for each key.
"""

import logging
from typing import Any

from storage.models import Vault

log = logging.getLogger(__name__)
WIPED = "vault-wiped"  # everything was removed, or all snapshots but one
UNDELETED = "vault-undeleted"  # what was removed came back


def ask(vault: Vault, kind: str, *, key: str, **values: Any) -> None:
    """Ask that the account's people are told. Nobody takes it yet; it is in the log."""
    log.info("notice %s of vault %s (%s): %s", kind, vault.public_id, key, values)
