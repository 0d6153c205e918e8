"""What the operator's commands about storage share: its refusals are error messages."""

from accounts.management import operator_command
from accounts.management.operator_command import account_of
from storage.errors import RefusedError
from storage.stores.base import RegionError

__all__ = ["OperatorCommand", "account_of"]


class OperatorCommand(operator_command.OperatorCommand):
    """An operator's command that stores and vaults may refuse."""

    refusals = (RefusedError, RegionError)
