"""`manage.py token create|list|revoke`: API tokens of an account."""

from argparse import ArgumentParser
from datetime import timedelta
from typing import Any

from django.core.management.base import CommandError

from accounts.audit import OPERATOR
from accounts.management.operator_command import OperatorCommand, account_of
from accounts.models import Account, ApiToken, Membership
from accounts.tokens import tokens
from accounts.tokens.tokens import NoSeatError, TooLongError, TooManyTokensError
from backup_service import clock


class Command(OperatorCommand):
    help = (
        "create: make an API token of an account and print it, once. list: which there are. "
        "revoke: end one. An account is named by its owner's address or its identifier."
    )
    refusals = (NoSeatError, TooLongError, TooManyTokensError)

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("action", choices=["create", "list", "revoke"])
        parser.add_argument("--account", required=True)
        parser.add_argument("--scope", choices=ApiToken.Scope.values, default="read")
        parser.add_argument("--label", default="made by an operator")
        parser.add_argument("--days", type=int, help="create: how long it is good; else for good")
        parser.add_argument("--token", help="revoke: the readable part, as nst_abcdefgh")

    def run(self, options: dict[str, Any]) -> dict[str, Any]:
        account = account_of(options["account"])
        if options["action"] == "create":
            return self._create(account, options)
        if options["action"] == "revoke":
            return self._revoke(account, options["token"])
        return {"tokens": [_shown(token) for token in tokens.tokens_of(account)]}

    def _create(self, account: Account, options: dict[str, Any]) -> dict[str, Any]:
        owner = account.memberships.filter(role=Membership.Role.OWNER).order_by("pk").first()
        if owner is None:
            raise CommandError("This account has no owner for whom a token could act.")
        if not 0 < len(options["label"]) <= tokens.LONGEST_LABEL:
            raise CommandError("--label takes 1 to 100 characters.")
        days = options["days"]
        if days is not None and not 0 < days <= 3650:
            raise CommandError("--days takes 1 to 3650.")
        made = tokens.create(
            owner,
            scope=options["scope"],
            label=options["label"],
            actor=OPERATOR,
            expires_at=clock.now() + timedelta(days=days) if days else None,
        )
        return {"token": made.text, **_shown(made.token)}

    def _revoke(self, account: Account, prefix: str | None) -> dict[str, Any]:
        found = tokens.tokens_of(account).filter(prefix=prefix or "").first()
        if found is None:
            raise CommandError("Name one of the account's tokens with --token; see `token list`.")
        return {"revoked": tokens.revoke(found, actor=OPERATOR), "prefix": found.prefix}


def _shown(token: ApiToken) -> dict[str, Any]:
    return {
        "prefix": token.prefix,
        "label": token.label,
        "scope": token.scope,
        "created_at": token.created_at,
        "expires_at": token.expires_at,
        "last_used_at": token.last_used_at,
        "revoked_at": token.revoked_at,
    }
