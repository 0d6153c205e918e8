"""Sends what is due, for a bounded time; each account has its turn.

A delivery is claimed by a lease in one conditional UPDATE, sent outside any transaction, and
settled by an UPDATE on the condition that the lease is still its own. One that was sent as its
worker died is sent again: twice is better than never.
"""

import logging
import time
import uuid
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from itertools import chain, zip_longest

from django.db.models import F, Min, QuerySet

from accounts.models import BouncingAddress, Delivery
from accounts.notifications import bounces, endpoints, preferences, senders
from accounts.notifications.registry import kind_of
from backup_service import clock

log = logging.getLogger(__name__)
LEASE = timedelta(minutes=2)  # far longer than one sending may take
DELAYS = [timedelta(minutes=m) for m in (1, 5, 15, 60, 180, 360, 720, 1440, 1440)]
_RELATED = (
    "notice__account",
    "notice__device",
    "membership__user",
    "membership__account",
    "membership__mail_preference",
    "endpoint",
)
OF_ACCOUNT = 5  # of one account at a time


@dataclass(frozen=True)
class Channel:
    """Mails, or what goes to customers' systems; so many are claimed at a time.

    Systems that failed when they were last told something have a channel of their own: they may
    hang, and whatever is sent side by side waits for the slowest.
    """

    is_mail: bool
    batch: int
    is_failing: bool = False


MAILS = Channel(is_mail=True, batch=20)
ENDPOINTS = Channel(is_mail=False, batch=8)  # sent side by side, for any of them may hang
FAILING = Channel(is_mail=False, batch=8, is_failing=True)


def deliver_due(channel: Channel, *, seconds: float) -> int:
    """Send what is due, for about so long; return how many were sent.

    While the mail server does not answer, one mail a run finds out.
    """
    end, sent = time.monotonic() + seconds, 0
    while time.monotonic() < end:
        due = _due(channel)
        if not due:
            break
        outcomes = _send_mails(due, end) if channel.is_mail else _send_to_endpoints(due)
        sent += sum(outcome is None for outcome in outcomes)
        if any(isinstance(outcome, senders.NoServerError) for outcome in outcomes):
            break
    return sent


def _due(channel: Channel) -> list[int]:
    """Return some deliveries that are due, of the accounts that wait longest.

    They come in rounds, one of each account first, so that a few accounts with much to send never
    take all places.
    """
    waiting = _waiting(channel)
    accounts = (
        waiting.values("account")
        .annotate(first=Min("next_attempt_at"))
        .order_by("first")
        .values_list("account", flat=True)[: channel.batch]
    )
    of_each: list[list[int]] = []
    for account in accounts:
        of_account = waiting.filter(account=account).order_by("next_attempt_at", "pk")
        of_each.append(list(of_account.values_list("pk", flat=True)[:OF_ACCOUNT]))
    rounds = chain.from_iterable(zip_longest(*of_each))
    return [pk for pk in rounds if pk is not None][: channel.batch]


def _waiting(channel: Channel) -> QuerySet[Delivery]:
    waiting = Delivery.objects.waiting().filter(
        next_attempt_at__lte=clock.now(), endpoint__isnull=channel.is_mail
    )
    if channel.is_mail:
        return waiting
    return waiting.filter(endpoint__failing_since__isnull=not channel.is_failing)


def claim(pk: int) -> Delivery | None:
    """Take a delivery that is due, for as long as the lease lasts; None if another worker has."""
    now, lease = clock.now(), uuid.uuid4().hex
    mine = Delivery.objects.waiting().filter(pk=pk, next_attempt_at__lte=now)
    if not mine.update(lease=lease, next_attempt_at=now + LEASE, attempts=F("attempts") + 1):
        return None
    claimed = Delivery.objects.select_related(*_RELATED).filter(pk=pk, lease=lease).first()
    if claimed is not None and claimed.membership is not None:
        _address(claimed, claimed.membership.user.email)
    return claimed


def _address(delivery: Delivery, email: str) -> None:
    """Address a mail to where its member is reached now, which may have changed since."""
    if delivery.address != email:
        delivery.address = email
        delivery.save(update_fields=["address"])


Outcome = Exception | None  # why it was not sent


def _send_mails(due: Sequence[int], end: float) -> list[Outcome]:
    outcomes: list[Outcome] = []
    for pk in due:
        if time.monotonic() >= end or (one := claim(pk)) is None:
            continue
        outcome = _suppressed(one) or _send(one)
        _settle(one, outcome)
        outcomes.append(outcome)
        if isinstance(outcome, senders.NoServerError):
            break
    return outcomes


def _send_to_endpoints(due: Sequence[int]) -> list[Outcome]:
    claimed = [one for pk in due if (one := claim(pk)) is not None]
    with ThreadPoolExecutor(ENDPOINTS.batch, thread_name_prefix="endpoints") as pool:
        outcomes = list(pool.map(_send, claimed))
    for one, outcome in zip(claimed, outcomes, strict=True):
        _settle(one, outcome)
    return outcomes


def _suppressed(delivery: Delivery) -> Outcome:
    """Return why nothing goes to a mail's address, if so."""
    if bounces.suppressed().filter(email=delivery.address.lower()).exists():
        return _PointlessError("mail to this address came back before")
    return None


def _send(delivery: Delivery) -> Outcome:
    """Send one; return why it was not sent. Threads come here, so no database is asked."""
    if (dropped := _pointless(delivery)) is not None:
        return dropped
    try:
        senders.send(delivery, clock.now())
    except (senders.NotSentError, senders.UndeliverableError) as error:
        return error
    except Exception as error:  # a letter that cannot be written must not stop the others
        log.exception("a notice of kind %s could not be sent", delivery.notice.kind)
        return senders.NotSentError(type(error).__name__)
    return None


class _PointlessError(Exception):
    """Nobody is there any more who wanted it."""


def _pointless(delivery: Delivery) -> _PointlessError | None:
    endpoint = delivery.endpoint
    if endpoint is not None:
        return _PointlessError("removed") if endpoint.removed_at is not None else None
    seat, notice = delivery.membership, delivery.notice
    if seat is None:
        return _PointlessError("no longer a member")
    if not preferences.is_reader(seat, kind_of(notice.kind).topic, notice.device):
        return _PointlessError("no longer theirs to know, or wanted")
    return None


def _settle(delivery: Delivery, error: Outcome) -> None:
    """Record how it went."""
    now = clock.now()
    mine = Delivery.objects.waiting().filter(pk=delivery.pk, lease=delivery.lease)
    text = " ".join(str(error).split())[:300] if error else ""
    if delivery.endpoint is not None and not isinstance(error, _PointlessError):
        endpoints.note_outcome(delivery.endpoint, text)
    match error:
        case None:
            mine.update(state=Delivery.State.SENT, sent_at=now, error="")
        case _PointlessError():
            mine.update(state=Delivery.State.DROPPED, error=text)
        case senders.UndeliverableError():
            mine.update(state=Delivery.State.FAILED, error=text)
            if delivery.endpoint is None:
                bounces.suppress(delivery.address, BouncingAddress.Reason.BOUNCED, text)
        case _ if delivery.attempts > len(DELAYS):
            mine.update(state=Delivery.State.FAILED, error=text)
        case _:
            due = now + DELAYS[delivery.attempts - 1]
            mine.update(next_attempt_at=due, error=text)
