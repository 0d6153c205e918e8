"""Why something about members is refused. Each text is for the person who reads it."""

from django.utils.translation import gettext


class MemberError(Exception):
    """The root of these errors."""


class NotAllowedError(MemberError):
    """The role does not allow it."""


class LastOwnerError(MemberError):
    """An account keeps at least one owner."""

    def __init__(self) -> None:
        super().__init__(
            gettext(
                "This is the account’s only owner. Give the account to somebody else "  # noqa: RUF001
                "first, or close it."
            )
        )


class TooManyError(MemberError):
    """A bound on members or invitations is reached."""


class NotWaitingError(MemberError):
    """The invitation or offer was accepted, taken back, or is too old."""


class AccountClosedError(MemberError):
    """Nobody joins an account that is closed."""

    def __init__(self) -> None:
        super().__init__(gettext("This account has been closed, so nobody can join it."))
