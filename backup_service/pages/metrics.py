"""`/metrics` for Prometheus: only for whoever brings the token, and not there without one."""

import hmac

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from backup_service import clock
from storage.monitoring.figures import figures
from storage.monitoring.metrics import exposition

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


@require_safe
@never_cache
def metrics(request: HttpRequest) -> HttpResponse:
    """The service's figures, to `Authorization: Bearer` and NIGHTSAFE_METRICS_TOKEN."""
    if not settings.METRICS_TOKEN:
        raise Http404
    given = request.headers.get("authorization", "")
    if not hmac.compare_digest(given.encode(), f"Bearer {settings.METRICS_TOKEN}".encode()):
        refusal = HttpResponse("The token is NIGHTSAFE_METRICS_TOKEN.\n", status=401)
        refusal["WWW-Authenticate"] = "Bearer"
        return refusal
    now = clock.now()
    return HttpResponse(exposition(figures(now), now), content_type=CONTENT_TYPE)
