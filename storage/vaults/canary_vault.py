"""Tells the canary's vault, which is the service's own, from customers' vaults."""

from accounts.models import Account
from storage.models import Vault

ACCOUNT = "The service's own canary"
REGION_HEADER = "Nightsafe-Region"  # by which the canary says which region it means


def is_canary(vault: Vault) -> bool:
    """Return True for a vault of the canary's account, in which nobody has a seat."""
    accounts = Account.objects.filter(pk=vault.account_id, name=ACCOUNT, memberships=None)
    return accounts.exists()
