"""`manage.py account`: customers, what they hold and are given, closing and erasing accounts."""

import sys
from argparse import ArgumentParser
from typing import Any
from urllib.parse import urlsplit

from allauth.account.forms import ResetPasswordForm
from allauth.account.models import EmailAddress
from allauth.core.context import request_context
from django.conf import settings
from django.contrib.auth.password_validation import validate_password
from django.contrib.sessions.middleware import SessionMiddleware
from django.core.exceptions import ValidationError
from django.core.management.base import CommandError
from django.db import transaction
from django.http import HttpResponse
from django.test import RequestFactory

from accounts.actions import open_account
from accounts.audit import OPERATOR
from accounts.models import User
from billing.actions import entitlements_of, subscribe
from billing.grants import grant
from billing.lookup import NoSuchAccountError, account_named
from billing.models import Plan
from storage.management import closing
from storage.management.operator_command import OperatorCommand, account_of
from storage.models import StoredObject, Usage
from storage.stores.amounts import parse_bytes
from storage.vaults import quota


class Command(OperatorCommand):
    help = (
        "create: make a customer, that is a person with a confirmed address, their account and "
        "its plan. usage: compare the account's figures with its rows; --mend sets them right. "
        "grant: give an account more room, or more days to pay, for a while. close: freeze an "
        "account; 30 days later it is erased. reopen: open a closed one again. erase: have a "
        "closed one erased from now on, or a step tried again that was given up; it wants --yes, "
        "and --reason with the proof of who asks for it. closing: how far a closed one is."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("action", choices=["create", "usage", "grant", *closing.ACTS])
        parser.add_argument("--email", help="create, usage: whose account")
        parser.add_argument("--plan", default="free", help="free, personal or plus")
        parser.add_argument(
            "--password-stdin",
            action="store_true",
            help="read the password from standard input; without it the customer gets a mail "
            "to set one",
        )
        parser.add_argument("--mend", action="store_true", help="usage: correct the figures")
        parser.add_argument("--account", help="all others: its owner's mail, or its id")
        parser.add_argument("--quota", default="", help="grant: more room, as 10GB")
        parser.add_argument(
            "--grace-days", type=int, default=0, help="grant: days before what follows from debts"
        )
        parser.add_argument("--days", type=int, help="grant: for how long it holds")
        parser.add_argument("--reason", default="", help="why, for the record")
        parser.add_argument("--yes", action="store_true", help="erase: it cannot be undone")

    def run(self, options: dict[str, Any]) -> dict[str, Any]:
        if options["action"] == "grant":
            return self._grant(options)
        if options["action"] in closing.ACTS:
            return closing.act(options)
        if not options["email"]:
            raise CommandError("Say whose account: --email ADDRESS.")
        if options["action"] == "usage":
            return self._usage(options["email"], mend=options["mend"])
        return self._create(options)

    def _usage(self, email: str, *, mend: bool) -> dict[str, Any]:
        account = account_of(email)
        found = quota.recount(account, mend=mend)
        allowed = entitlements_of(account).quota
        live, tombstoned, reserved = found.counted if mend else found.booked
        usage = Usage(live_bytes=live, tombstoned_bytes=tombstoned, reserved_bytes=reserved)
        return {
            "account": account.public_id,
            "objects": StoredObject.objects.filter(vault__account=account).count(),
            "live_bytes": live,
            "tombstoned_bytes": tombstoned,
            "reserved_bytes": reserved,
            "charged_bytes": usage.charged(allowed),
            "quota_bytes": allowed,
            "figures_agree": found.agrees,
        }

    def _grant(self, options: dict[str, Any]) -> dict[str, Any]:
        if not options["account"] or options["days"] is None:
            raise CommandError("Say to whom and for how long: --account E --days N.")
        try:
            account = account_named(options["account"])
            given = grant(
                account,
                quota_bytes=int(parse_bytes(options["quota"])) if options["quota"] else 0,
                grace_days=options["grace_days"],
                days=options["days"],
                reason=options["reason"],
                actor=OPERATOR,
            )
        except (NoSuchAccountError, ValueError) as error:
            raise CommandError(str(error)) from error
        return {
            "account": account.public_id,
            "quota_bytes": given.quota_bytes,
            "grace_days": given.grace_days,
            "until": given.ends_at.isoformat(timespec="seconds"),
            "reason": given.reason,
            "total_quota_bytes": entitlements_of(account).quota,
        }

    def _create(self, options: dict[str, Any]) -> dict[str, Any]:
        email = options["email"].strip().lower()
        password = sys.stdin.readline().rstrip("\n") if options["password_stdin"] else None
        self._check(email, password, options["plan"])
        with transaction.atomic():
            user = User.objects.create_user(email, password)
            EmailAddress.objects.create(user=user, email=email, primary=True, verified=True)
            account = open_account(user, actor=OPERATOR)
            subscribe(account, plan=options["plan"], actor=OPERATOR)
        if password is None:
            self._send_mail(email)
        return {"account": account.public_id, "email": email, "plan": options["plan"]}

    def _check(self, email: str, password: str | None, plan: str) -> None:
        try:
            User(email=email).clean_fields(exclude={"password", "name"})
            if password is not None:
                validate_password(password, User(email=email))
        except ValidationError as error:
            raise CommandError(" ".join(error.messages)) from error
        if User.objects.filter(email__iexact=email).exists():
            raise CommandError(f"There is somebody with the address {email} already.")
        if not Plan.objects.filter(slug=plan).exists():
            known = ", ".join(Plan.objects.values_list("slug", flat=True))
            raise CommandError(f"There is no plan {plan!r}; there are {known}.")

    def _send_mail(self, email: str) -> None:
        """Send the mail in which the customer sets a password, with links to the real site."""
        site = urlsplit(settings.SITE_URL)
        request = RequestFactory().get(
            "/", secure=site.scheme == "https", headers={"host": site.netloc}
        )
        SessionMiddleware(lambda _: HttpResponse()).process_request(request)
        form = ResetPasswordForm({"email": email})
        with request_context(request):
            if form.is_valid():
                form.save(request)
