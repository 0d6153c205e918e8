"""Sends each member who wants one a report of how all is, every week or month."""

from django.db import transaction
from django.db.models import Q

from accounts.access import Seat
from accounts.models import Account, Membership
from accounts.notifications.notify import notify_one
from accounts.notifications.preferences import RUN_IT, default_rhythm
from accounts.reader import worded_for
from accounts.templatetags.amounts import amount
from backup_service import clock
from billing.actions import entitlements_of
from storage.models import Report
from storage.notices import letters, schedule
from storage.notices.each import each
from storage.vault_status import overview
from storage.vault_status.protection import AT_REST

BATCH = 50  # members in one run


def send_due() -> int:
    """Have some reports sent that are due; return how many. Call it again while it returns any."""
    now = clock.now()
    wants = Q()
    for rhythm, span in schedule.SPANS.items():
        chosen = Q(mail_preference__reports=rhythm)
        if rhythm == default_rhythm():
            chosen |= Q(mail_preference__isnull=True, role__in=RUN_IT)
        last = Q(report__sent_at__lte=now - span)
        first = Q(report__isnull=True, created_at__lte=now - span)
        wants |= chosen & (last | first)
    seats = Membership.objects.filter(wants, user__is_active=True)
    seats = seats.exclude(account__state__in=Account.CLOSED)
    due = seats.select_related("user", "account").order_by("pk")[:BATCH]
    return each(due, _send, "a report could not be made")


@transaction.atomic
def _send(seat: Membership) -> int:
    now, account = clock.now(), seat.account
    plan = overview.plan_of(account)
    room = overview.quota_of(account, plan, entitlements_of(account).quota)
    with worded_for(seat.user):
        standings = [
            (one.vault.name, one.protection.standing.value, one.protection.reason)
            for one in overview.overview(overview.vaults_seen_by(Seat(seat)), plan)
            if one.protection.standing not in AT_REST
        ]
        values = letters.report_values(
            account=account.name,
            standings=standings,
            used=amount(room.charged),
            quota=amount(room.quota),
        )
    Report.objects.update_or_create(membership=seat, defaults={"sent_at": now})
    notify_one(seat, letters.REPORT, key=f"report:{seat.pk}:{now:%Y%m%d%H}", **values)
    return 1
