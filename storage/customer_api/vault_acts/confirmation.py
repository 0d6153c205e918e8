"""Has a program name the vault that it means, as people type its name on the website."""

from rest_framework import serializers
from rest_framework.exceptions import ValidationError

from accounts.customer_api.schema import Shape, example
from storage.models import Vault


@example({"confirm": "laptop"})
class Confirmation(Shape):
    """The vault that is meant."""

    confirm = serializers.CharField(max_length=100, help_text="The vault's name, as it is now")


def require_meant(vault: Vault, name: str) -> None:
    """Raise ValidationError unless it is the vault's name."""
    if name != vault.name:
        raise ValidationError({"confirm": "This is not the vault's name; nothing was done."})
