"""What can go wrong with payments, in words for whoever reads it."""

from django.utils.translation import gettext


class PaymentError(Exception):
    """The base of all; the text is for the customer and says what to do."""


class NotConfiguredError(PaymentError):
    """This service takes no payments."""

    def __init__(self) -> None:
        super().__init__(
            gettext("This service takes no payments. Ask whoever runs it for another plan.")
        )


class UnavailableError(PaymentError):
    """Stripe cannot be reached, or cannot do it now."""

    def __init__(self) -> None:
        super().__init__(
            gettext(
                "The payment service cannot be reached at this moment, and nothing was changed. "
                "Please try again in a few minutes."
            )
        )


class RefusedError(PaymentError):
    """Stripe refused a request, and would do so again."""

    def __init__(self) -> None:
        super().__init__(
            gettext(
                "The payment service did not accept this, and nothing was changed. Please write to "
                "whoever runs this service."
            )
        )


class NotOnSaleError(PaymentError):
    """A plan, or its interval, cannot be bought."""

    def __init__(self) -> None:
        super().__init__(gettext("This plan is not on offer. Please choose one from the list."))


class ClosedAccountError(PaymentError):
    """The account is closed, so that whoever paid for it would get nothing."""

    def __init__(self) -> None:
        super().__init__(gettext("This account is closed. Open it again first, in the settings."))


class AlreadySubscribedError(PaymentError):
    """There is a subscription already, so a second one is not begun."""

    def __init__(self) -> None:
        super().__init__(
            gettext(
                "This account has a paid plan already, and pays only once. To change or cancel it, "
                "use the button “Change plan, card or cancel”."
            )
        )


class ForgedError(Exception):
    """A message that claims to come from Stripe, and does not, or comes too late or too early."""
