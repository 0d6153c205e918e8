"""Reminds people of accounts that will be erased."""

from typing import Any

from accounts.closing import plan
from accounts.closing.letters import REMINDER
from accounts.models import Closing
from accounts.notifications.notify import notify
from accounts.notifications.wording import iso
from backup_service import clock


def remind_due() -> int:
    """Tell what is due about closed accounts, each thing once; return how many were told."""
    now, told = clock.now(), 0
    soon = now + max(plan.REMINDERS) * plan.DAY
    rows = Closing.objects.filter(
        step__in=plan.CAN_REOPEN, erase_after__range=(now, soon), is_hastened=False
    )
    for row in rows.select_related("account").order_by("pk").iterator(chunk_size=200):
        days = plan.reminder(row, now)
        if days is not None:
            key = f"closing:{row.closed_at:%Y%m%dT%H%M%SZ}:{days}"
            about: dict[str, Any] = {
                "name": row.account.name,
                "until": iso(row.erase_after),
                "reason": row.reason,
                "days": days,
            }
            told += notify(row.account, REMINDER, key=key, **about) is not None
    return told
