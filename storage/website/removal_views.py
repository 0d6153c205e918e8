"""Pages about what was removed from a vault: saying that it was meant, bringing it back."""

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from accounts.access import own_account_to_change
from accounts.audit import Actor
from accounts.models import User
from storage.events import wipes
from storage.models import Vault
from storage.website import overview
from storage.website.reauthenticate import confirmed


@login_required
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def accept_removal(request: HttpRequest, vault_id: str) -> HttpResponse:
    """Ask, then take a removal of everything for one that was meant."""
    found = _vault_to_change(request, vault_id)
    return confirmed(request, lambda: _accept_removal(request, found))


def _accept_removal(request: HttpRequest, vault: Vault) -> HttpResponse:
    if request.method != "POST":
        return render(request, "storage/accept_removal.html", {"vault": vault})
    if wipes.acknowledge(vault, actor=_actor(request)):
        messages.success(request, "Noted. The vault is judged by its backups again.")
    return redirect("vault", vault_id=vault.public_id)


def _vault_to_change(request: HttpRequest, vault_id: str) -> Vault:
    account = own_account_to_change(request.user)
    return get_object_or_404(overview.vaults_of(account), public_id=vault_id)


def _actor(request: HttpRequest) -> Actor:
    if not isinstance(request.user, User):
        raise TypeError("only views for signed-in people act")
    return Actor.person(request.user)
