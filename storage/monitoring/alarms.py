"""Keeps a row for each alarm, and mails staff about what is new or over."""

from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import Q

from backup_service import clock
from storage.database import lock_order
from storage.models import Alarm, Heartbeat
from storage.monitoring import mail, rules
from storage.monitoring.figures import figures
from storage.monitoring.rules import AlarmState

REMIND = timedelta(days=1)


def present() -> list[AlarmState]:
    """Return what is wrong at this moment."""
    return rules.judge(figures(clock.now()))


def refresh() -> list[AlarmState]:
    """Bring the rows up to date, and mail staff about what is new, over, or a day old."""
    states = present()
    keys = [state.key for state in states]
    for state in states:
        Alarm.objects.update_or_create(
            key=state.key, defaults={"text": state.text[:500], "advice": state.advice[:500]}
        )
    over = list(Alarm.objects.exclude(key__in=keys))
    now = clock.now()
    not_lately = Q(mailed_at=None) | Q(mailed_at__lte=now - REMIND)
    to_mail = list(Alarm.objects.filter(not_lately, key__in=keys))
    to_mail_over = [alarm for alarm in over if alarm.mailed_at is not None]
    if _mail(to_mail, to_mail_over):
        with transaction.atomic():
            mailed = lock_order.lock(Alarm.objects.filter(pk__in=[alarm.pk for alarm in to_mail]))
            Alarm.objects.filter(pk__in=mailed).update(mailed_at=now)
        to_mail_over = []
    kept = [alarm.pk for alarm in to_mail_over]  # to be mailed about once mail works again
    with transaction.atomic():
        gone = Alarm.objects.filter(pk__in=[alarm.pk for alarm in over]).exclude(pk__in=kept)
        Alarm.objects.filter(pk__in=lock_order.lock(gone)).delete()
    Heartbeat.beat("watch")
    return states


def _mail(new: list[Alarm], over: list[Alarm]) -> bool:
    """Send one mail about all of it; return True if nothing is left to be told."""
    if not new and not over:
        return True
    lines = [f"{alarm.text}\n  {alarm.advice}\n  Since {_when(alarm.since)}\n" for alarm in new]
    lines += [f"Over: {alarm.text}\n" for alarm in over]
    lines.append(f"All alarms at present: {settings.SITE_URL}/admin/storage/alarm/\n")
    first = (new or over)[0]
    more = len(new) + len(over) - 1
    subject = f"{'' if new else 'Over: '}{first.text}"[:120]
    subject += f" (and {more} more)" if more else ""
    return mail.send(f"Nightsafe alarm: {subject}", "\n".join(lines), to=mail.staff())


def _when(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC"
