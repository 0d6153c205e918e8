"""Asks again, when something is done, whether who asked for it may still do so."""

from django.utils.translation import gettext

from accounts.access import Seat
from accounts.members.errors import NotWaitingError
from accounts.models import Account


def lock_for(seat: Seat) -> Account:
    """Lock the account's row for somebody who decides about its members, and return it.

    Raises NotWaitingError if they are a member no longer, or in another role by now.
    """
    account = Account.objects.select_for_update(no_key=True).get(pk=seat.account.pk)
    if not account.memberships.filter(pk=seat.membership.pk, role=seat.role).exists():
        raise changed()
    return account


def changed() -> NotWaitingError:
    """Return what is raised where the members are others than was thought."""
    return NotWaitingError(
        gettext("The members changed meanwhile. Look again, and repeat what you want.")
    )
