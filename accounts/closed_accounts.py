"""What a closed account refuses: it stays as it was, until it is erased or opened again."""

from django.utils.translation import gettext

from accounts.models import Account


class ClosedAccountError(Exception):
    """Nothing is changed in an account that is closed. The text is for customers."""

    def __init__(self) -> None:
        super().__init__(gettext("This account is closed. Open it again first, in the settings."))


def require_open(account: Account) -> None:
    """Lock an account's row until the transaction ends. Raises ClosedAccountError.

    What protects somebody is never refused so: revoking, removing, restoring, choosing one's mail.
    """
    if Account.objects.select_for_update(no_key=True).get(pk=account.pk).is_closed:
        raise ClosedAccountError
