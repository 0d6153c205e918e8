"""The household of `unit/accounts/members`, whose programs ask."""

from tests.unit.accounts.members.conftest import adam, axel, mia, olga

__all__ = ["adam", "axel", "mia", "olga"]
