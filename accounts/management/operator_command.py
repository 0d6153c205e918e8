"""What the operator's commands share: sub-commands, `--json`, errors."""

import json
from argparse import ArgumentParser
from typing import Any, ClassVar

from django.core.management.base import BaseCommand, CommandError

from accounts.models import Account, Membership
from accounts.texts import is_plain


class OperatorCommand(BaseCommand):
    """A command that returns one result: as JSON with `--json`, as plain lines otherwise."""

    requires_migrations_checks = False
    # Errors whose text is for whoever typed the command.
    refusals: ClassVar[tuple[type[Exception], ...]] = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add what every operator's command takes."""
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, *args: Any, **options: Any) -> None:
        """Run the command; refusals become its error message and exit code 1."""
        for name, value in options.items():
            texts = value if isinstance(value, list) else [value]
            if not all(is_plain(text) for text in texts if isinstance(text, str)):
                raise CommandError(f"--{name.replace('_', '-')} holds bytes that are no text.")
        try:
            result = self.run(options)
        except self.refusals as error:
            raise CommandError(str(error)) from error
        self.show(result, as_json=options["json"])

    def run(self, options: dict[str, Any]) -> dict[str, Any]:
        """Do the work and return its result. Commands override this."""
        raise CommandError("Say what to do; see --help.")

    def show(self, result: dict[str, Any], *, as_json: bool) -> None:
        """Print a result."""
        if as_json:
            self.stdout.write(json.dumps(result, default=str))
            return
        for key, value in result.items():
            if isinstance(value, list) and value and isinstance(value[0], dict):
                self.stdout.write(f"{key}:")
                for item in value:
                    self.stdout.write("  " + "  ".join(f"{k}={v}" for k, v in item.items()))
            else:
                self.stdout.write(f"{key.replace('_', ' ')}: {value}")


def account_of(named: str) -> Account:
    """Return the account of an owner's e-mail address, or of its own identifier.

    Raises CommandError, also where the address owns several, which are then named.
    """
    named = named.strip()
    owned = Account.objects.filter(
        memberships__user__email__iexact=named, memberships__role=Membership.Role.OWNER
    )
    found = list(Account.objects.filter(public_id=named)[:1] or owned.order_by("pk")[:20])
    if not found:
        raise CommandError(
            f"No account has the identifier {named}, and nobody of that address owns one."
        )
    if len(found) > 1:
        names = ", ".join(f"{account.public_id} ({account.name})" for account in found)
        raise CommandError(f"{named} owns several accounts; name one of them: {names}.")
    return found[0]
