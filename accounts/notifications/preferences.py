"""What each member wants to be mailed about."""

from typing import Any

from django.db import transaction
from django.db.models import Q, QuerySet

from accounts import audit
from accounts.audit import Actor
from accounts.models import Account, Delivery, Device, MailPreference, Membership, Notice
from accounts.roles import Right, may
from accounts.topics import ReportRhythm, Topic

# Whoever runs an account is told of everything by itself; the others ask for it.
RUN_IT = (Membership.Role.OWNER, Membership.Role.ADMIN)


def default_rhythm() -> ReportRhythm:
    """Return how often whoever runs an account gets a report, unless they choose otherwise."""
    return ReportRhythm.MONTHLY


def default_preference(membership: Membership) -> MailPreference:
    """Return what holds for a member who has chosen nothing. It is not stored."""
    runs_it = membership.role in RUN_IT
    reports = default_rhythm() if runs_it else ReportRhythm.NEVER
    return MailPreference(membership=membership, backups=runs_it, billing=runs_it, reports=reports)


def preference_of(membership: Membership) -> MailPreference:
    """Return what a member wants."""
    return getattr(membership, "mail_preference", None) or default_preference(membership)


def wants(membership: Membership, topic: Topic) -> bool:
    """Return whether a member is mailed about a topic.

    Security goes to whoever runs the account, whatever they chose. Money is nobody else's.
    """
    chosen = preference_of(membership)
    runs_it = membership.role in RUN_IT
    match topic:
        case Topic.SECURITY:
            return runs_it
        case Topic.BILLING:
            return runs_it and chosen.billing
        case Topic.BACKUPS:
            return chosen.backups
        case Topic.REPORTS:
            return chosen.reports != ReportRhythm.NEVER


def is_reader(membership: Membership, topic: Topic, device: Device | None) -> bool:
    """Return whether a member is mailed about a topic, and about a computer if it is of one.

    Who sees only their own computers is told of those alone.
    """
    if not membership.user.is_active or not wants(membership, topic):
        return False
    if topic is not Topic.BACKUPS or may(membership.role, Right.SEE_ALL_BACKUPS):
        return True
    return device is not None and device.member_id == membership.pk


def readers(account: Account, topic: Topic, device: Device | None) -> list[Membership]:
    """Return the members who are mailed about a topic, and about a computer if it is of one."""
    seats = account.memberships.select_related("user", "mail_preference").order_by("pk")
    return [seat for seat in seats if is_reader(seat, topic, device)]


def notices_seen_by(membership: Membership) -> QuerySet[Notice]:
    """Return the notices that a member may read: all but others' reports, or what is theirs."""
    notices = Notice.objects.filter(account=membership.account_id)
    mine = Delivery.objects.filter(membership=membership).values("notice")
    if may(membership.role, Right.SEE_ALL_ACTIVITY):
        return notices.filter(Q(pk__in=mine) | ~Q(kind="report"))
    return notices.filter(Q(pk__in=mine) | Q(device__member=membership))


@transaction.atomic
def choose(
    membership: Membership, *, backups: bool, billing: bool, reports: str, actor: Actor
) -> MailPreference:
    """Store what a member wants. Raises ValueError for a rhythm that there is not."""
    rhythm = ReportRhythm(reports)
    chosen, _ = MailPreference.objects.update_or_create(
        membership=membership,
        defaults={"backups": backups, "billing": billing, "reports": rhythm},
    )
    _record(membership, actor)
    return chosen


@transaction.atomic
def turn_off(membership: Membership, topic: Topic, *, actor: Actor) -> bool:
    """End a member's mails about a topic; return False for one that cannot be turned off."""
    if topic is Topic.SECURITY:
        return False
    off: dict[Topic, dict[str, Any]] = {
        Topic.BACKUPS: {"backups": False},
        Topic.BILLING: {"billing": False},
        Topic.REPORTS: {"reports": ReportRhythm.NEVER},
    }
    now = default_preference(membership)
    # A mail program may post twice at once; what was chosen elsewhere meanwhile stays.
    MailPreference.objects.update_or_create(
        membership=membership,
        defaults=off[topic],
        create_defaults={
            "backups": now.backups,
            "billing": now.billing,
            "reports": now.reports,
            **off[topic],
        },
    )
    _record(membership, actor)
    return True


def _record(membership: Membership, actor: Actor) -> None:
    account = membership.account
    audit.record(
        actor, "mail.choose", account.public_id, account=account, member=membership.user.email
    )
