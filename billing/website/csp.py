"""Lets the forms of a page lead to the payment service.

Browsers hold the address to which a form's answer redirects against `form-action` as well.
"""

from collections.abc import Callable

from csp.decorators import csp_update
from django.conf import settings
from django.http import HttpRequest, HttpResponseBase

View = Callable[[HttpRequest], HttpResponseBase]


def leads_to_payment(view: View) -> View:
    """Allow the forms of a page to lead to the payment service, beside our own pages."""
    allowed: View = csp_update({"form-action": list(settings.STRIPE_PAGES)})(view)
    return allowed
