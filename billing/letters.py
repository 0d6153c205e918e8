"""What customers are told about money and room, in words."""

from collections.abc import Sequence

from django.conf import settings
from django.utils.translation import gettext, gettext_noop

from accounts.notifications.letter import Letter, Link
from accounts.notifications.registry import Values, register
from accounts.notifications.wording import day_of
from accounts.topics import Topic
from billing.dunning import NoticeKind

PAY = gettext_noop("Pay on the page Billing. As soon as it is paid, everything works again.")

ERASED = gettext_noop(
    "After %(erasure)s all that is stored in it is destroyed, in all places, and so is what we "
    "know of its people. That cannot be undone."
)


@register(NoticeKind.PAYMENT_FAILED, Topic.BILLING)
def payment_failed(values: Values) -> Letter:
    """Say that a payment failed, and that nothing changes yet."""
    return _letter(
        gettext("A payment for your plan %(plan)s did not work") % {"plan": values["plan"]},
        [
            gettext(
                "A payment for your plan did not work. It is tried again by itself; perhaps the "
                "card has expired, or its bank wants you to confirm the payment."
            ),
            gettext(
                "Nothing changes until %(read_only)s: backups and restores go on. From then on "
                "new backups are paused."
            )
            % {"read_only": day_of(values["read_only"])},
            gettext("Choose another card, or pay now, on the page Billing."),
        ],
    )


@register(NoticeKind.READ_ONLY, Topic.BILLING)
def read_only(values: Values) -> Letter:
    """Say that new backups are paused."""
    return _letter(
        gettext("New backups are paused: a payment is overdue"),
        [
            gettext(
                "A payment is overdue, so new backups are paused. What is stored is safe, and "
                "restores work."
            ),
            gettext(
                "From %(restore_only)s on nothing can be removed either, and the day on which "
                "your account is closed is announced, at least 31 days ahead."
            )
            % {"restore_only": day_of(values["restore_only"])},
            gettext(PAY),
        ],
        is_urgent=True,
    )


# Not to be turned off: it is the last word before something is lost.
@register(NoticeKind.DELETION_ANNOUNCED, Topic.SECURITY)
def deletion_announced(values: Values) -> Letter:
    """Announce the deletion."""
    return _letter(
        gettext("Your account is closed on %(deletion)s: a payment is long overdue")
        % {"deletion": day_of(values["deletion"])},
        [
            gettext(
                "A payment has been overdue for more than 60 days. Your account is closed on "
                "%(deletion)s. %(erased)s"
            )
            % {
                "deletion": day_of(values["deletion"]),
                "erased": gettext(ERASED) % {"erasure": day_of(values["erasure"])},
            },
            gettext("Until %(restores_end)s you can restore your files. Nothing new is stored.")
            % {"restores_end": day_of(values["restores_end"])},
            gettext(PAY),
        ],
        is_urgent=True,
    )


@register(NoticeKind.RESTORE_ONLY, Topic.SECURITY)
def restore_only(values: Values) -> Letter:
    """Repeat that the deletion comes."""
    return _letter(
        gettext("Reminder: your account is closed on %(deletion)s")
        % {"deletion": day_of(values["deletion"])},
        [
            gettext(
                "A payment has been overdue for more than 60 days. Restores work until "
                "%(restores_end)s, and your account is closed on %(deletion)s. %(erased)s"
            )
            % {
                "restores_end": day_of(values["restores_end"]),
                "deletion": day_of(values["deletion"]),
                "erased": gettext(ERASED) % {"erasure": day_of(values["erasure"])},
            },
            gettext(PAY),
        ],
        is_urgent=True,
    )


@register(NoticeKind.RESTORES_ENDED, Topic.SECURITY)
def restores_ended(values: Values) -> Letter:
    """Say that restores have ended."""
    return _letter(
        gettext("Restores have ended: a payment is long overdue"),
        [
            gettext(
                "A payment has been overdue for more than 90 days, so restores have ended too. "
                "Your account is closed on %(deletion)s. %(erased)s"
            )
            % {
                "deletion": day_of(values["deletion"]),
                "erased": gettext(ERASED) % {"erasure": day_of(values["erasure"])},
            },
            gettext(PAY),
        ],
        is_urgent=True,
    )


@register(NoticeKind.OVER_CAP, Topic.BILLING)
def over_cap(values: Values) -> Letter:
    """Say that more is stored than there is room for."""
    return _letter(
        gettext("More is stored than your plan %(plan)s has room for") % {"plan": values["plan"]},
        [
            gettext(
                "Your account holds more than the plan %(plan)s has room for, so new backups "
                "are paused. Nothing is taken away, and restores work."
            )
            % {"plan": values["plan"]},
            gettext("Choose a larger plan on the page Billing, or remove old snapshots."),
        ],
    )


def _letter(subject: str, lines: Sequence[str], *, is_urgent: bool = False) -> Letter:
    link = Link(gettext("Open the page Billing"), f"{settings.SITE_URL}/billing/")
    return Letter(subject, lines, link=link, is_urgent=is_urgent)
