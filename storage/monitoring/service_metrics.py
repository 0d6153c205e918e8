"""Metrics of people, money, refusals and notices: a fixed number of queries, over short lists."""

from collections import Counter
from collections.abc import Iterator
from datetime import datetime

from django.db.models import Count, Q

from accounts.models import Account, Tally
from accounts.tallies import REFUSALS, REQUESTS, SIGN_IN_FAILURES, SIGN_UPS
from billing import dunning
from billing.models import Subscription
from storage.models import Alarm, Undelete
from storage.monitoring.families import Family
from storage.monitoring.rules import Figures

_COUNTERS = {
    SIGN_UPS: "People who signed up",
    SIGN_IN_FAILURES: "Passwords that did not belong to the address",
    REFUSALS: "Requests that vaults' credentials were refused, by cause and status",
    REQUESTS: "Requests to the customers' and agents' API, by method, route and status",
}
# From which day without a payment on; days that staff granted are not looked at.
_STEPS = {
    dunning.Step.GRACE: (None, dunning.READ_ONLY_AFTER),
    dunning.Step.READ_ONLY: (dunning.READ_ONLY_AFTER, dunning.RESTORE_ONLY_AFTER),
    dunning.Step.RESTORE_ONLY: (dunning.RESTORE_ONLY_AFTER, dunning.RESTORES_END_AFTER),
    dunning.Step.ENDED: (dunning.RESTORES_END_AFTER, None),
}


def families(figures: Figures, now: datetime) -> Iterator[Family]:
    """Return every figure of this kind; ages in seconds."""
    yield from _counters()
    yield from _backlogs(figures)
    yield _unpaid(now)
    yield _accounts()
    yield _alarms()
    yield Family.single(
        "payment_syncs_due",
        "Customers of whom Stripe is to be asked now",
        Subscription.objects.exclude(stripe_customer="").filter(next_sync_at__lte=now).count(),
    )
    yield Family.single(
        "undeletes_running",
        "Undeletes that are not over",
        Undelete.objects.filter(ended_at=None).count(),
    )


def _counters() -> Iterator[Family]:
    rows = list(Tally.objects.filter(name__in=_COUNTERS).order_by("name", "labels"))
    for name, text in _COUNTERS.items():
        values = [(row.labels, float(row.count)) for row in rows if row.name == name]
        if name in (SIGN_UPS, SIGN_IN_FAILURES) and not values:
            values = [("", 0.0)]
        yield Family(f"{name}_total", text, values, kind="counter")


def _backlogs(figures: Figures) -> Iterator[Family]:
    for name, what, backlog in (
        ("mails", "Mails to customers", figures.mails),
        ("payment_events", "Events of Stripe's", figures.events),
    ):
        yield Family.single(f"{name}_waiting", f"{what} that wait", backlog.waiting)
        yield Family.single(f"{name}_late_seconds", f"{what}: how overdue the first", backlog.late)
    yield Family.single(
        "mails_given_up", "Mails to customers given up in the last day", figures.mails.given_up
    )
    yield Family.single(
        "payment_events_parked",
        "Events of Stripe's given up after many tries",
        figures.events.given_up,
    )


def _unpaid(now: datetime) -> Family:
    counts = {}
    for step, (after, before) in _STEPS.items():
        is_in = Q(unpaid_since__isnull=False)
        if after is not None:
            is_in &= Q(unpaid_since__lte=now - after)
        if before is not None:
            is_in &= Q(unpaid_since__gt=now - before)
        counts[step.name.lower()] = Count("pk", filter=is_in)
    owing = Subscription.objects.filter(unpaid_since__isnull=False).aggregate(**counts)
    values = [(f'step="{step}"', float(n)) for step, n in owing.items()]
    return Family("unpaid_accounts", "Accounts with a payment that failed, by days since", values)


def _accounts() -> Family:
    states = Account.objects.order_by().values_list("state").annotate(n=Count("pk"))
    found = dict(states)
    values = [(f'state="{one.value}"', float(found.get(one.value, 0))) for one in Account.State]
    return Family("accounts", "Accounts, by state", values)


def _alarms() -> Family:
    kinds = Counter(key.partition(":")[0] for key in Alarm.objects.values_list("key", flat=True))
    values = [(f'kind="{kind}"', float(n)) for kind, n in sorted(kinds.items())]
    return Family("alarms_open", "Alarms at the last look, by kind", values)
