"""Lets the forms of a page lead to the payment service.

Browsers hold the address to which a form's answer redirects against `form-action` as well.
"""

from collections.abc import Callable
from functools import wraps

from csp.decorators import csp_update
from django.conf import settings
from django.http import HttpRequest, HttpResponseBase
from django.urls import reverse

View = Callable[[HttpRequest], HttpResponseBase]


def leads_to_payment(view: View) -> View:
    """Allow the forms of a page to lead to the payment service, beside our own pages."""
    allowed: View = csp_update({"form-action": list(settings.STRIPE_PAGES)})(view)
    return allowed


def proof_before_payment(view: View) -> View:
    """Allow it to the forms of a page that proves who one is, if the portal was asked for.

    Their answer is that of what was asked for.
    """
    leading = leads_to_payment(view)

    @wraps(view)
    def proof(request: HttpRequest) -> HttpResponseBase:
        wanted = request.POST.get("next") or request.GET.get("next")
        return leading(request) if wanted == reverse("billing_portal") else view(request)

    return proof
