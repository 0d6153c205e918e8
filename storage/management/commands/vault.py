"""`manage.py vault create`: a vault with its first credential, printed once."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError

from accounts.audit import OPERATOR
from storage.enrol import VaultNameTakenError, create_vault
from storage.management.operator import OperatorCommand, account_of
from storage.models import Credential


class Command(OperatorCommand):
    help = "Make a vault. Its first credential, shown once, may set it up (restic init)."

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("action", choices=["create"])
        parser.add_argument("--account", required=True, help="the owner's e-mail address")
        parser.add_argument("--name", required=True)
        parser.add_argument("--scope", choices=Credential.Scope.values, default="backup")

    def run(self, options: dict[str, Any]) -> dict[str, Any]:
        account = account_of(options["account"])
        try:
            made = create_vault(
                account, name=options["name"], scope=options["scope"], actor=OPERATOR
            )
        except VaultNameTakenError as error:
            raise CommandError(f"The account has a vault named {error} already.") from error
        return {
            "vault": made.vault.public_id,
            "url": made.url,
            "username": made.first.credential.prefix,
            "secret": made.first.secret,
        }
