"""What customers are told about money and room, in words."""

from collections.abc import Sequence

from django.conf import settings

from accounts.notifications.letter import Letter, Link
from accounts.notifications.registry import Values, register
from accounts.topics import Topic
from billing.dunning import NoticeKind

PAY = "Pay on the page Billing. As soon as it is paid, everything works again."

ERASED = (
    "After {erasure} all that is stored in it is destroyed, in all places, and so is what we know "
    "of its people. That cannot be undone."
)


@register(NoticeKind.PAYMENT_FAILED, Topic.BILLING)
def payment_failed(values: Values) -> Letter:
    """Say that a payment failed, and that nothing changes yet."""
    return _letter(
        f"A payment for your plan {values['plan']} did not work",
        [
            "A payment for your plan did not work. It is tried again by itself; perhaps the card "
            "has expired, or its bank wants you to confirm the payment.",
            f"Nothing changes until {values['read_only']}: backups and restores go on. From then "
            "on new backups are paused.",
            "Choose another card, or pay now, on the page Billing.",
        ],
    )


@register(NoticeKind.READ_ONLY, Topic.BILLING)
def read_only(values: Values) -> Letter:
    """Say that new backups are paused."""
    return _letter(
        "New backups are paused: a payment is overdue",
        [
            "A payment is overdue, so new backups are paused. What is stored is safe, and restores "
            "work.",
            f"From {values['restore_only']} on nothing can be removed either, and the day on which "
            "your account is closed is announced, at least 31 days ahead.",
            PAY,
        ],
        is_urgent=True,
    )


# Not to be turned off: it is the last word before something is lost.
@register(NoticeKind.DELETION_ANNOUNCED, Topic.SECURITY)
def deletion_announced(values: Values) -> Letter:
    """Announce the deletion."""
    return _letter(
        f"Your account is closed on {values['deletion']}: a payment is long overdue",
        [
            f"A payment has been overdue for more than 60 days. Your account is closed on "
            f"{values['deletion']}. {ERASED.format(**values)}",
            f"Until {values['restores_end']} you can restore your files. Nothing new is stored.",
            PAY,
        ],
        is_urgent=True,
    )


@register(NoticeKind.RESTORE_ONLY, Topic.SECURITY)
def restore_only(values: Values) -> Letter:
    """Repeat that the deletion comes."""
    return _letter(
        f"Reminder: your account is closed on {values['deletion']}",
        [
            "A payment has been overdue for more than 60 days. Restores work until "
            f"{values['restores_end']}, and your account is closed on {values['deletion']}. "
            f"{ERASED.format(**values)}",
            PAY,
        ],
        is_urgent=True,
    )


@register(NoticeKind.RESTORES_ENDED, Topic.SECURITY)
def restores_ended(values: Values) -> Letter:
    """Say that restores have ended."""
    return _letter(
        "Restores have ended: a payment is long overdue",
        [
            "A payment has been overdue for more than 90 days, so restores have ended too. Your "
            f"account is closed on {values['deletion']}. {ERASED.format(**values)}",
            PAY,
        ],
        is_urgent=True,
    )


@register(NoticeKind.OVER_CAP, Topic.BILLING)
def over_cap(values: Values) -> Letter:
    """Say that more is stored than there is room for."""
    return _letter(
        f"More is stored than your plan {values['plan']} has room for",
        [
            f"Your account holds more than the plan {values['plan']} has room for, so new backups "
            "are paused. Nothing is taken away, and restores work.",
            "Choose a larger plan on the page Billing, or remove old snapshots.",
        ],
    )


def _letter(subject: str, lines: Sequence[str], *, is_urgent: bool = False) -> Letter:
    link = Link("Open the page Billing", f"{settings.SITE_URL}/billing/")
    return Letter(subject, lines, link=link, is_urgent=is_urgent)
