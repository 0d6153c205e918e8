"""Finds the account that an operator names: by its owner's mail, or by its public id."""

from accounts.models import Account, Membership


class NoSuchAccountError(LookupError):
    """Nobody of that name owns an account; the text says so."""


def account_named(name: str) -> Account:
    """Return an account by its public id or its owner's e-mail address.

    Raises NoSuchAccountError, also for somebody who owns several accounts.
    """
    wanted = name.strip()
    if (found := Account.objects.filter(public_id=wanted).first()) is not None:
        return found
    owned = Account.objects.filter(
        memberships__user__email__iexact=wanted, memberships__role=Membership.Role.OWNER
    ).order_by("pk")[:2]
    if len(owned) != 1:
        several = ", ".join(account.public_id for account in owned)
        text = f"owns several accounts; name one by its id: {several}" if owned else "owns none"
        raise NoSuchAccountError(
            f"No account is called {wanted}, and whoever has that address {text}."
        )
    return owned[0]
