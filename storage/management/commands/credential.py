"""`manage.py credential create|revoke`: who may enter a vault."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError

from accounts.audit import OPERATOR
from storage.management.operator_command import OperatorCommand
from storage.models import Credential, Vault
from storage.vaults import credentials, devices


class Command(OperatorCommand):
    help = "Make or revoke a credential of a vault. A new one's secret is shown once."

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("action", choices=["create", "revoke"])
        parser.add_argument("--vault", help="create: the vault's identifier, as in its address")
        parser.add_argument("--scope", choices=Credential.Scope.values, default="backup")
        parser.add_argument("--username", help="revoke: which credential; it says which vault")

    def run(self, options: dict[str, Any]) -> dict[str, Any]:
        wanted = "username" if options["action"] == "revoke" else "vault"
        if not options[wanted]:
            raise CommandError(f"Say --{wanted}; see --help.")
        if options["action"] == "revoke":
            return self._revoke(options["username"], vault=options["vault"])
        vault = Vault.objects.filter(public_id=options["vault"], closed_at=None).first()
        if vault is None:
            raise CommandError(f"There is no vault {options['vault']}.")
        scope = options["scope"]
        device = devices.device_for(vault, scope)
        made = credentials.create(vault, scope=scope, actor=OPERATOR, device=device)
        return {
            "vault": vault.public_id,
            "url": vault.url,
            "username": made.credential.prefix,
            "secret": made.secret,
            "scope": made.credential.scope,
        }

    def _revoke(self, username: str, *, vault: str | None) -> dict[str, Any]:
        """Revoke a credential, of `vault` if that is named too."""
        named = Credential.objects.select_related("vault").filter(prefix=username)
        found = (named.filter(vault__public_id=vault) if vault else named).first()
        if found is None:
            raise CommandError(
                f"There is no credential {username}{' in this vault' * bool(vault)}."
            )
        credentials.revoke(found, actor=OPERATOR)
        return {"vault": found.vault.public_id, "revoked": found.prefix}
