"""`manage.py vault create|status`: a vault with its first credential; how it stands."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError

from accounts.audit import OPERATOR
from storage.management.operator_command import OperatorCommand, account_of
from storage.models import Credential, Vault
from storage.vaults.enrolment import LimitError, VaultNameTakenError, create_vault
from storage.vaults.recovery_point import status_of


class Command(OperatorCommand):
    help = (
        "create: make a vault; its first credential, shown once, may set it up (restic init). "
        "status: its recovery point, up to which the loss of a whole region costs nothing."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("action", choices=["create", "status"])
        parser.add_argument("--account", help="create: the owner's e-mail address")
        parser.add_argument("--name", help="create: what to call it")
        parser.add_argument("--vault", help="status: its identifier, as in its address")
        parser.add_argument("--scope", choices=Credential.Scope.values, default="backup")

    def run(self, options: dict[str, Any]) -> dict[str, Any]:
        wanted = ["vault"] if options["action"] == "status" else ["account", "name"]
        for name in wanted:
            if not options[name]:
                raise CommandError(f"Say --{name}; see --help.")
        return self._status(options) if options["action"] == "status" else self._create(options)

    def _status(self, options: dict[str, Any]) -> dict[str, Any]:
        vault = Vault.objects.filter(public_id=options["vault"]).first()
        if vault is None:
            raise CommandError(f"There is no vault {options['vault']}.")
        return {"vault": vault.public_id, "name": vault.name, **status_of(vault)}

    def _create(self, options: dict[str, Any]) -> dict[str, Any]:
        account = account_of(options["account"])
        longest = Vault._meta.get_field("name").max_length or 0
        if len(options["name"]) > longest:
            raise CommandError(f"A vault's name has at most {longest} characters.")
        try:
            made = create_vault(
                account, name=options["name"], scope=options["scope"], actor=OPERATOR
            )
        except VaultNameTakenError as error:
            raise CommandError(f"The account has a vault named {error} already.") from error
        except LimitError as error:
            raise CommandError(str(error)) from error
        return {
            "vault": made.vault.public_id,
            "url": made.url,
            "username": made.first.credential.prefix,
            "secret": made.first.secret,
        }
