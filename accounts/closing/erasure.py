"""Erases what the tables of people and accounts say, a bounded lot of it at a time."""

from typing import Any

from allauth.account.models import EmailAddress
from allauth.usersessions.models import UserSession
from django.contrib.admin.models import LogEntry
from django.contrib.contenttypes.models import ContentType
from django.db import transaction
from django.db.models import Model, QuerySet, TextField
from django.db.models.functions import Cast

from accounts import audit
from accounts.audit import SERVICE
from accounts.audit.erasure import erase_account as erase_log
from accounts.audit.erasure import erase_person as erase_person_from_log
from accounts.models import (
    Account,
    ApiToken,
    AuditEvent,
    BouncingAddress,
    Delivery,
    Device,
    Endpoint,
    IdempotentRequest,
    Invitation,
    Membership,
    Notice,
    StaffNote,
    User,
)
from accounts.tokens.tokens import revoke_all_of

AT_ONCE = 1000  # rows
ERASED = "somebody who was erased"


def delete_some(rows: QuerySet[Any], most: int) -> int:
    """Delete up to so many rows; return how many there were."""
    page = list(rows.order_by("pk").values_list("pk", flat=True)[:most])
    rows.model._default_manager.filter(pk__in=page).delete()
    return len(page)


def erase_notices(account: Account) -> int:
    """Delete some of an account's notices and how they were sent; return 0 when all are gone."""
    return delete_some(Delivery.objects.filter(account=account), AT_ONCE) or delete_some(
        Notice.objects.filter(account=account), AT_ONCE
    )


def erase_account(account: Account) -> int:
    """Delete what else an account has, and take its name; return 0 when nothing is left."""
    with transaction.atomic():
        for kind in (ApiToken, Invitation, Endpoint, IdempotentRequest, StaffNote):
            kind._default_manager.filter(account=account).delete()
        blank_admin_log(Account.objects.filter(pk=account.pk))
        Account.objects.filter(pk=account.pk).update(name="", continent="")
    return 0 if erase_log(account) else 1


def end_seat(seat: Membership) -> None:
    """End a seat; whose computers those were is nobody's in particular. The account is locked."""
    if not seat.account.is_closed:
        revoke_all_of(seat, actor=SERVICE)
        audit.record(SERVICE, "member.erased", seat.account.public_id, account=seat.account)
    Device.objects.filter(member=seat).update(member=None)
    blank_admin_log(Membership.objects.filter(pk=seat.pk))
    seat.delete()


@transaction.atomic
def erase_person(user: User) -> None:
    """Erase somebody who has no seat: their sign-in, and their name in accounts that go on."""
    known = EmailAddress.objects.filter(user=user).values_list("email", flat=True)
    addresses = {address.lower() for address in (user.email, *known)}
    Membership.objects.filter(offered_by=user).update(offered_by=None, offered_at=None)
    Invitation.objects.filter(invited_by=user).delete()
    Invitation.objects.filter(accepted_by=user).delete()
    acted = AuditEvent.objects.filter(actor=user).order_by().values("account").distinct()
    for address in addresses:
        Invitation.objects.filter(email__iexact=address).delete()
        _take_out_of_notices(Notice.objects.filter(account__in=acted), address)
        BouncingAddress.objects.filter(email__iexact=address).delete()
        Delivery.objects.filter(address__iexact=address).update(address="")
    StaffNote.objects.filter(author=user).update(author=None, author_label=ERASED)
    erase_person_from_log(user, addresses)
    for session in UserSession.objects.filter(user=user):
        session.end()
    blank_admin_log(EmailAddress.objects.filter(user=user))
    blank_admin_log(User.objects.filter(pk=user.pk))
    user.delete()


def _take_out_of_notices(notices: QuerySet[Notice], address: str) -> None:
    """Take an address out of what other accounts were told, such as who made a credential."""
    text = notices.annotate(text=Cast("values", TextField()))
    for notice in text.filter(text__icontains=address).iterator(chunk_size=AT_ONCE):
        values = {
            name: ERASED if isinstance(value, str) and address in value.lower() else value
            for name, value in notice.values.items()
        }
        Notice.objects.filter(pk=notice.pk).update(values=values)


def blank_admin_log(rows: QuerySet[Any]) -> None:
    """Take names out of what staff did with these rows on their pages."""
    model: type[Model] = rows.model
    names = [str(pk) for pk in rows.values_list("pk", flat=True)]
    kind = ContentType.objects.get_for_model(model)
    for start in range(0, len(names), AT_ONCE):
        LogEntry.objects.filter(
            content_type=kind, object_id__in=names[start : start + AT_ONCE]
        ).update(object_repr="", change_message="")
