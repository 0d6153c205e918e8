"""The first page: what this is, what it costs, what it cannot do."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_safe

from billing.models import Plan
from storage.objects import placement
from storage.stores.shared_disks import share_a_disk


@require_safe
def landing(request: HttpRequest) -> HttpResponse:
    """Show visitors the service; bring signed-in people to their dashboard."""
    if request.user.is_authenticated:
        return redirect("dashboard")
    context = {
        "plans": Plan.objects.filter(on_offer=True),
        "places": placement.reachable_replicas(placement.candidates()),
        "shares_disk": share_a_disk(),
    }
    return render(request, "landing.html", context)
