"""Takes people on as staff, and lets them go: one function, one transaction, one audit row each."""

from allauth.account.models import EmailAddress
from django.contrib.auth.models import Group
from django.db import transaction

from accounts import audit
from accounts.audit import Actor
from accounts.models import User
from accounts.staff.groups import StaffGroup


class NoSuchPersonError(LookupError):
    """Nobody of staff has that address; the text says so."""


@transaction.atomic
def add(email: str, *, group: StaffGroup, actor: Actor) -> tuple[User, bool]:
    """Put somebody into a group of staff; return them, and whether they are new to the service.

    Whoever may do this need not prove that the address is theirs. New people have no password:
    they set one by "Forgot your password?".
    """
    user = User.objects.filter(email__iexact=email.strip()).first()
    is_new = user is None
    if user is None:
        user = User.objects.create_user(email)
        EmailAddress.objects.create(user=user, email=user.email, primary=True, verified=True)
    User.objects.filter(pk=user.pk).update(is_staff=True)
    user.groups.add(Group.objects.get_or_create(name=group.value)[0])
    audit.record(actor, "staff.add", user.email, group=group.value)
    return user, is_new


@transaction.atomic
def remove(email: str, *, actor: Actor) -> User:
    """Let somebody go: they are no staff any more, in no group, and their own account stays.

    Their rights end with the next request. Raises NoSuchPersonError.
    """
    user = User.objects.filter(email__iexact=email.strip(), is_staff=True).first()
    if user is None:
        raise NoSuchPersonError(f"Nobody of staff has the address {email}.")
    User.objects.filter(pk=user.pk).update(is_staff=False, is_superuser=False)
    user.groups.clear()
    user.user_permissions.clear()
    audit.record(actor, "staff.remove", user.email)
    return user


def everybody() -> list[User]:
    """Return all of staff with their groups, by address."""
    return list(User.objects.filter(is_staff=True).prefetch_related("groups").order_by("email"))
