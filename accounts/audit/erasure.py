"""Takes people and their names out of the audit log; the chain of hashes goes on holding.

What was done and when stays, as does the kind of who did it. Rows are sealed first, since what is
not in the chain yet would be sealed without what was erased.
"""

from collections.abc import Mapping

from django.db.models import Q, QuerySet, TextField
from django.db.models.functions import Cast

from accounts.audit.sealing import seal
from accounts.models import Account, AuditEvent, User

AT_ONCE = 1000  # rows
NOBODY = {"actor": None, "actor_label": "", "address": None, "credential": "", "who_salt": ""}
NOTHING = {"subject": "", "detail": {}, "what_salt": ""}


def erase_account(account: Account) -> bool:
    """Erase who and what from some of an account's rows; return whether that was all of them."""
    seal(account.pk)
    rows = AuditEvent.objects.filter(account=account).exclude(who_salt="", what_salt="")
    page = list(rows.order_by("pk").values_list("pk", flat=True)[:AT_ONCE])
    AuditEvent.objects.filter(pk__in=page).update(**NOBODY, **NOTHING)
    return len(page) < AT_ONCE


def erase_person(user: User, addresses: set[str]) -> None:
    """Erase a person from every log in which they did something.

    That they did it goes from all of these rows, and what a row was about where that has one of
    their addresses in it. Their accounts' other rows stay as they are.
    """
    acted = AuditEvent.objects.filter(actor=user)
    accounts = list(acted.order_by().values_list("account", flat=True).distinct())
    for account in {*accounts, None}:  # before a person has an account, rows are of none
        seal(account)
    _erase(acted, NOBODY)
    here = AuditEvent.objects.filter(Q(account__in=accounts) | Q(account=None))
    for address in sorted(addresses):
        _erase(here.filter(actor_label__iexact=address), NOBODY)
        named = here.exclude(what_salt="").annotate(text=Cast("detail", TextField()))
        about = Q(subject__icontains=address) | Q(text__icontains=address)
        _erase(named.filter(about), NOTHING)


def _erase(rows: QuerySet[AuditEvent], fields: Mapping[str, object]) -> None:
    while page := list(rows.order_by("pk").values_list("pk", flat=True)[:AT_ONCE]):
        AuditEvent.objects.filter(pk__in=page).update(**fields)
