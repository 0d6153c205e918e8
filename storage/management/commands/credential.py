"""`manage.py credential create|revoke`: who may enter a vault."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError

from accounts.audit import OPERATOR
from storage import credentials
from storage.access import vault_address
from storage.management.operator import OperatorCommand
from storage.models import Credential, Vault


class Command(OperatorCommand):
    help = "Make or revoke a credential of a vault. A new one's secret is shown once."

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("action", choices=["create", "revoke"])
        parser.add_argument("--vault", required=True, help="the vault's identifier")
        parser.add_argument("--scope", choices=Credential.Scope.values, default="backup")
        parser.add_argument("--username", help="revoke: which credential")

    def run(self, options: dict[str, Any]) -> dict[str, Any]:
        vault = Vault.objects.filter(public_id=options["vault"], closed_at=None).first()
        if vault is None:
            raise CommandError(f"There is no vault {options['vault']}.")
        if options["action"] == "revoke":
            return self._revoke(vault, options["username"])
        made = credentials.create(vault, scope=options["scope"], actor=OPERATOR)
        return {
            "vault": vault.public_id,
            "url": vault_address(vault),
            "username": made.credential.prefix,
            "secret": made.secret,
            "scope": made.credential.scope,
        }

    def _revoke(self, vault: Vault, username: str | None) -> dict[str, Any]:
        found = vault.credentials.filter(prefix=username or "").first()
        if found is None:
            raise CommandError("Say which one with --username; this vault has no such credential.")
        credentials.revoke(found, actor=OPERATOR)
        return {"vault": vault.public_id, "revoked": found.prefix}
