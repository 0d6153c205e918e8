"""What is kept of a person and of an account, as lists of rows: names of columns, and values.

Secrets are left out, and hashes of them: they say nothing of anybody. A new table with something of
a customer's gets a section here; a test compares the two.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.usersessions.models import UserSession
from django.db.models import Count, Model, Q, QuerySet, Sum

from accounts.models import (
    Account,
    ApiToken,
    AuditEvent,
    BouncingAddress,
    Closing,
    Delivery,
    Device,
    Endpoint,
    Invitation,
    MailPreference,
    Membership,
    Notice,
    StaffNote,
    User,
)
from accounts.website import history
from billing.models import Grant, Subscription
from billing.stripe.errors import PaymentError
from billing.stripe.invoices import statement_of
from storage.models import (
    Credential,
    DeviceAuthorization,
    StoredObject,
    Undelete,
    Usage,
    UsageSample,
    Vault,
    VaultEvent,
    VaultSample,
)

Row = dict[str, Any]
MOST_ROWS = 200_000  # of a section, the newest
A_READ = 500

_ACTS = (
    *("at", "account__public_id", "actor_kind", "actor_label", "credential", "address"),
    *("verb", "subject", "detail", "number", "digest"),
)


@dataclass(frozen=True)
class Section:
    """A list of rows: its name in the archive, and what reads it, each time from the beginning.

    `model` is the table that it shows, if it is one.
    """

    name: str
    rows: Callable[[], Iterator[Row]]
    model: type[Model] | None = None


def of_person(user: User) -> list[Section]:
    """Return what is kept of a person, whatever account they look at."""
    mine = {"user": user}
    return [
        _table(
            "you/profile",
            User.objects.filter(pk=user.pk),
            *("email", "name", "time_zone", "language", "date_joined", "last_login"),
        ),
        _table("you/addresses", EmailAddress.objects.filter(**mine), "email", "verified"),
        _table(
            "you/undelivered",
            BouncingAddress.objects.filter(email__iexact=user.email),
            *("email", "reason", "detail", "suppressed_at"),
        ),
        Section("you/second-factors", lambda: _second_factors(user)),
        _table(
            "you/sessions",
            UserSession.objects.filter(**mine),
            *("ip", "user_agent", "created_at", "last_seen_at"),
        ),
        _table(
            "you/seats",
            Membership.objects.filter(**mine),
            *("account__public_id", "account__name", "role", "created_at"),
        ),
        _table(
            "you/mail",
            MailPreference.objects.filter(membership__user=user),
            *("membership__account__public_id", "backups", "billing", "reports"),
        ),
        _table("you/activity", AuditEvent.objects.filter(actor=user), *_ACTS),
    ]


def of_account(account: Account) -> list[Section]:
    """Return what is kept of an account."""
    return [*_people(account), *_backups(account), *_notices(account), *_money(account)]


def _people(account: Account) -> list[Section]:
    here = {"account": account}
    return [
        _table(
            "account/account",
            Account.objects.filter(pk=account.pk),
            *("public_id", "name", "state", "created_at", "closed_at", "continent"),
        ),
        _table(
            "account/members",
            Membership.objects.filter(**here),
            *("user__email", "user__name", "role", "created_at"),
        ),
        _table(
            "account/invitations",
            Invitation.objects.filter(**here),
            *("email", "role", "invited_by__email", "created_at", "expires_at"),
            *("accepted_at", "revoked_at"),
        ),
        _table(
            "account/api-tokens",
            ApiToken.objects.filter(**here),
            *("prefix", "label", "scope", "membership__user__email", "created_at"),
            *("expires_at", "last_used_at", "revoked_at"),
        ),
        Section("account/activity", lambda: _activity(account), AuditEvent),
        _table(
            "account/closing",
            Closing.objects.filter(**here),
            *("reason", "closed_at", "erase_after", "step"),
        ),
    ]


def _backups(account: Account) -> list[Section]:
    here, live = {"vault__account": account}, Q(stored_objects__state=StoredObject.State.LIVE)
    vaults = Vault.objects.filter(account=account).annotate(
        objects_held=Count("stored_objects", filter=live),
        bytes_held=Sum("stored_objects__size", filter=live, default=0),
    )
    return [
        _table(
            "backups/computers",
            Device.objects.filter(account=account),
            *("public_id", "name", "member__user__email", "created_at", "retired_at"),
        ),
        _table(
            "backups/vaults",
            vaults,
            *("public_id", "name", "state", "device__name", "created_at", "closed_at"),
            *("last_snapshot_at", "last_unread", "expected_interval", "learnt_interval"),
            *("refused_at", "refused_text", "wiped_at", "objects_held", "bytes_held"),
        ),
        _table(
            "backups/credentials",
            Credential.objects.filter(**here),
            *("vault__public_id", "prefix", "label", "scope", "device__name", "created_at"),
            *("last_used_at", "revoked_at"),
        ),
        *_happenings(account),
        *_use(account),
    ]


def _use(account: Account) -> list[Section]:
    here = {"vault__account": account}
    return [
        _table(
            "backups/use",
            Usage.objects.filter(account=account),
            *("live_bytes", "tombstoned_bytes", "reserved_bytes"),
        ),
        _table(
            "backups/use-by-day",
            UsageSample.objects.filter(account=account),
            *("day", "live_bytes", "tombstoned_bytes"),
        ),
        _table(
            "backups/vaults-by-day",
            VaultSample.objects.filter(**here),
            *("vault__public_id", "day", "bytes"),
        ),
    ]


def _happenings(account: Account) -> list[Section]:
    here = {"vault__account": account}
    return [
        _table(
            "backups/events",
            VaultEvent.objects.filter(**here),
            *("vault__public_id", "kind", "first_at", "last_at", "count", "status", "text"),
            *("credential__prefix", "snapshots", "bytes", "seconds", "unread"),
        ),
        _table(
            "backups/brought-back",
            Undelete.objects.filter(**here),
            *("vault__public_id", "actor_label", "created_at", "moment", "revived", "ended_at"),
        ),
        _table(
            "backups/connections",
            DeviceAuthorization.objects.filter(account=account),
            *("computer", "program", "address", "state", "created_at", "approved_by__email"),
        ),
    ]


def _notices(account: Account) -> list[Section]:
    here = {"account": account}
    return [
        _table("notices/notices", Notice.objects.filter(**here), "pk", "kind", "at", "values"),
        _table(
            "notices/deliveries",
            Delivery.objects.filter(**here),
            *("notice", "address", "endpoint__name", "state", "sent_at", "error"),
        ),
        _table(
            "notices/systems",
            Endpoint.objects.filter(**here),
            *("name", "kind", "url", "topics", "created_at", "removed_at"),
        ),
    ]


def _money(account: Account) -> list[Section]:
    here = {"account": account}
    return [
        _table(
            "payments/plan",
            Subscription.objects.filter(**here),
            *("plan__slug", "started_at", "interval", "period_ends_at", "unpaid_since"),
            *("deletion_announced_at", "stripe_customer", "stripe_subscription", "stripe_status"),
        ),
        _table(
            "payments/granted",
            Grant.objects.filter(**here),
            *("quota_bytes", "grace_days", "starts_at", "ends_at"),
        ),
        _table("staff_notes", StaffNote.objects.filter(**here), "at"),
        Section("payments/invoices", lambda: _invoices(account)),
    ]


def _table(name: str, rows: QuerySet[Any], *columns: str) -> Section:
    return Section(name, lambda: _read(rows, columns), rows.model)


def _read(rows: QuerySet[Model], columns: tuple[str, ...]) -> Iterator[Row]:
    """Yield rows, the newest first, a lot at a time, so that no cursor stays open."""
    before, left = None, MOST_ROWS
    while left > 0:
        lot = rows if before is None else rows.filter(pk__lt=before)
        page = list(lot.order_by("-pk").values("pk", *columns)[: min(A_READ, left)])
        yield from ({name.replace("__", "_"): row[name] for name in columns} for row in page)
        if len(page) < A_READ:
            return
        before, left = page[-1]["pk"], left - len(page)


def _activity(account: Account) -> Iterator[Row]:
    """Yield what was done in an account. As on its page, staff are not named, nor their reasons."""
    members = set(Membership.objects.filter(account=account).values_list("user", flat=True))
    rows = AuditEvent.objects.filter(account=account)
    by_staff = rows.filter(Q(actor_kind=AuditEvent.Kind.STAFF) | Q(actor__is_staff=True))
    theirs = {
        event.pk
        for event in by_staff.select_related("actor").iterator(chunk_size=A_READ)
        if history.is_staff(event, members)
    }
    for row in _read(rows, ("pk", *_ACTS)):
        if row.pop("pk") in theirs:
            row |= {"actor_label": history.STAFF, "address": None}
        yield row | {"detail": history.without_reasons(row["detail"])}


def _second_factors(user: User) -> Iterator[Row]:
    for one in Authenticator.objects.filter(user=user).order_by("pk"):
        yield {
            "kind": one.type,
            "name": str(one.data.get("name", "")),
            "created_at": one.created_at,
            "last_used_at": one.last_used_at,
        }


def _invoices(account: Account) -> Iterator[Row]:
    subscription = Subscription.objects.filter(account=account).first()
    try:
        found = statement_of(subscription).invoices
    except PaymentError:
        yield {"number": "could not be asked for now; see the page Billing"}
        return
    for one in found:
        yield {"number": one.number, "at": one.at, "cents": one.total, "status": one.status}
