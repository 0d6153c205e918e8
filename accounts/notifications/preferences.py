"""What each member wants to be mailed about."""

from django.db import transaction

from accounts import audit
from accounts.audit import Actor
from accounts.models import Account, MailPreference, Membership
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


def readers(account: Account, topic: Topic) -> list[Membership]:
    """Return the members who are mailed about a topic."""
    seats = account.memberships.filter(user__is_active=True).order_by("pk")
    seats = seats.select_related("user", "mail_preference")
    return [seat for seat in seats if wants(seat, topic)]


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
    chosen = preference_of(membership)
    match topic:
        case Topic.SECURITY:
            return False
        case Topic.BACKUPS:
            chosen.backups = False
        case Topic.BILLING:
            chosen.billing = False
        case Topic.REPORTS:
            chosen.reports = ReportRhythm.NEVER
    chosen.save()
    _record(membership, actor)
    return True


def _record(membership: Membership, actor: Actor) -> None:
    account = membership.account
    audit.record(
        actor, "mail.choose", account.public_id, account=account, member=membership.user.email
    )
