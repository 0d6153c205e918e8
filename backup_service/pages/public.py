"""Pages that anybody may read and that say the same to everybody."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.gzip import gzip_page
from django.views.decorators.http import require_safe

from backup_service.pages import site_operator
from billing.models import Plan
from storage.objects import placement
from storage.stores.shared_disks import share_a_disk

View = Callable[..., HttpResponse]


def public(view: View) -> View:
    """Let a view be read only, and be compressed for visitors.

    Pages for people who are signed in hold a secret (the token of the sign-out form), which the
    length of a compressed page could give away (BREACH), so theirs stay as they are.
    """
    compressed = gzip_page(view)

    @wraps(view)
    def guarded(request: HttpRequest, *args: Any, **values: Any) -> HttpResponse:
        chosen = view if request.user.is_authenticated else compressed
        return chosen(request, *args, **values)

    return require_safe(guarded)


def page(template: str) -> View:
    """Return a view that shows a template as it is."""

    def show(request: HttpRequest) -> HttpResponse:
        return render(request, template, {"missing": site_operator.missing()} | addresses())

    return public(show)


@public
def landing(request: HttpRequest) -> HttpResponse:
    """Show visitors the service; bring signed-in people to their dashboard."""
    if request.user.is_authenticated:
        return redirect("dashboard")
    return render(request, "landing.html", offer())


@public
def how_it_works(request: HttpRequest) -> HttpResponse:
    """Show what happens to a file, and what is seen of it here."""
    return render(request, "public/how_it_works.html", offer())


@public
def security(request: HttpRequest) -> HttpResponse:
    """Show what is protected from whom, and by what."""
    return render(request, "public/security.html", offer())


def addresses() -> dict[str, str]:
    """Return where vaults are, as a client spells it."""
    scheme, host = settings.GATEWAY_URL.split("://", 1)
    return {
        "gateway": settings.GATEWAY_URL,
        "setup_line": f"nightsafe setup {settings.SITE_URL}",
        "login_line": f"nightsafe login {settings.SITE_URL}",
        "vault_address": f"{settings.GATEWAY_URL}/restic/vault/",
        "old_line": f"export RESTIC_REPOSITORY=rest:{scheme}://user-name:secret@{host}/restic/vault/",
    }


def places() -> int:
    """Return in how many separate places copies can be now."""
    return placement.reachable_replicas(placement.candidates())


def offer() -> dict[str, Any]:
    """Return what can be had here: plans, and how many places there are for copies."""
    plans = list(Plan.objects.filter(on_offer=True))
    return {
        "plans": plans,
        "free_plan": next((plan for plan in plans if not plan.month_cents), None),
        "places": places(),
        "shares_disk": share_a_disk(),
    }
