"""`manage.py audit verify`: whether the audit log is as it was written."""

import dataclasses
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError

from accounts.audit.verification import verify, verify_all
from accounts.management.operator_command import OperatorCommand, account_of


class Command(OperatorCommand):
    help = (
        "verify: walk the chain of hashes of one account, or all of them, and name the first link "
        "that does not hold; the exit status is then 1. Note the heads elsewhere to prove later "
        "that nothing up to there was rewritten."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("action", choices=["verify"])
        parser.add_argument("--account", help="an owner's address, or an account's identifier")

    def run(self, options: dict[str, Any]) -> dict[str, Any]:
        named = options["account"]
        found = [verify(account_of(named).pk)] if named else list(verify_all())
        broken = [one for one in found if one.reason]
        return {
            "holds": not broken,
            "chains": [dataclasses.asdict(one) for one in found],
            "first_broken": dataclasses.asdict(broken[0]) if broken else None,
        }

    def show(self, result: dict[str, Any], *, as_json: bool) -> None:
        """Print the result; end with an error where a chain is broken."""
        super().show(result, as_json=as_json)
        if not result["holds"]:
            first = result["first_broken"]
            raise CommandError(
                f"Chain {first['chain']}, row {first['broken_at']}: {first['reason']}."
            )
