"""The address to which Stripe sends its messages."""

import logging

from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from billing.stripe.errors import ForgedError
from billing.webhooks import inbox

log = logging.getLogger(__name__)


@csrf_exempt  # what says who it is from is the signature
@require_POST
def webhook(request: HttpRequest) -> HttpResponse:
    """Keep what Stripe sends: 200 for what is kept, or was before, 400 for what is not genuine."""
    if int(request.META.get("CONTENT_LENGTH") or 0) > inbox.MOST_BYTES:
        return HttpResponse(status=413)
    try:
        inbox.take(request.body, request.headers.get("Stripe-Signature", ""))
    except ForgedError as error:
        log.warning("a message to the webhook was refused: %s", error)
        return HttpResponse(status=400)
    return HttpResponse(status=200)
