"""`manage.py billing state|products|replay|reconcile`: payments, for an operator."""

import json
from argparse import ArgumentParser
from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils.dateparse import parse_datetime

from accounts.texts import is_plain
from backup_service import clock
from billing import reconcile
from billing.lookup import NoSuchAccountError, account_named
from billing.state import as_values, state_of
from billing.stripe import catalogue
from billing.stripe.errors import PaymentError
from billing.stripe.sync import sync
from billing.webhooks import work

KEPT_BY_STRIPE = timedelta(days=30)


class Command(BaseCommand):
    help = (
        "state: how an account stands. products: make products and prices at Stripe from the "
        "plans. replay: work off events of Stripe's again. reconcile: ask Stripe about everybody."
    )
    requires_migrations_checks = False

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add the acts, each with its own options."""
        acts = parser.add_subparsers(dest="act", required=True)
        state = acts.add_parser("state", help="how an account stands")
        state.add_argument("--account", required=True, help="its owner's mail, or its id")
        state.add_argument("--sync", action="store_true", help="ask Stripe first")
        products = acts.add_parser("products", help="make products and prices from the plans")
        replay = acts.add_parser("replay", help="work off events again")
        replay.add_argument("event", nargs="*", help="ids of events (evt_...)")
        replay.add_argument("--failed", action="store_true", help="all that are parked")
        replay.add_argument(
            "--since", default="", help="all that Stripe has on record since a moment (ISO 8601)"
        )
        everybody = acts.add_parser("reconcile", help="ask Stripe about every customer, soon")
        for act in (state, products, replay, everybody):
            act.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, *args: Any, **options: Any) -> None:
        """Do what is asked for and print the result. Raises CommandError."""
        for value in options.values():
            if isinstance(value, str) and not is_plain(value):
                raise CommandError("A name holds bytes that are no text.")
        acts = {
            "state": self._state,
            "products": self._products,
            "replay": self._replay,
            "reconcile": self._reconcile,
        }
        try:
            result = acts[options["act"]](options)
        except (PaymentError, NoSuchAccountError) as error:
            raise CommandError(str(error)) from error
        if options["json"]:
            self.stdout.write(json.dumps(result))
            return
        for name, value in result.items():
            self.stdout.write(f"{name.replace('_', ' ')}: {value}")

    def _state(self, options: dict[str, Any]) -> dict[str, Any]:
        account = account_named(options["account"])
        if options["sync"]:
            sync(account)
        return {"account": account.public_id, **as_values(state_of(account))}

    def _products(self, options: dict[str, Any]) -> dict[str, Any]:
        found = catalogue.publish()
        return {"prices": found.prices, "portal": found.portal}

    def _replay(self, options: dict[str, Any]) -> dict[str, Any]:
        if options["since"]:
            since = parse_datetime(options["since"])
            if since is None or since.tzinfo is None or since < clock.now() - KEPT_BY_STRIPE:
                raise CommandError(
                    "Give a moment of the last 30 days with its zone: 2026-11-28T12:00:00+00:00."
                )
            replayed, new = work.replay_since(since)
            return {"replayed": replayed, "never_came": new}
        if not options["event"] and not options["failed"]:
            raise CommandError("Name events, or --failed, or --since MOMENT.")
        return {"replayed": work.replay(options["event"], failed=options["failed"])}

    def _reconcile(self, options: dict[str, Any]) -> dict[str, Any]:
        return {"customers": reconcile.reconcile_all()}
