"""Pages about what was removed from a vault: saying that it was meant, bringing it back."""

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from accounts.access import present_seat
from accounts.roles import Right
from accounts.website.acting import actor_of
from storage.events import wipes
from storage.models import Undelete, Vault
from storage.rewind import history, requests, worker
from storage.rewind.requests import UndeleteError
from storage.vault_status import overview
from storage.website.reauthenticate import confirmed
from storage.website.undelete_form import UndeleteForm

SNAPSHOTS_SHOWN = 50
REMOVALS_SHOWN = 10
UNDELETES_SHOWN = 5


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
    if wipes.acknowledge(vault, actor=actor_of(request)):
        messages.success(request, gettext("Noted. The vault is judged by its backups again."))
    return redirect("vault", vault_id=vault.public_id)


@login_required
@never_cache
@require_safe
def snapshots(request: HttpRequest, vault_id: str) -> HttpResponse:
    """List a vault's snapshots, those that were removed too, and what can be brought back."""
    found = get_object_or_404(overview.vaults_seen_by(present_seat(request)), public_id=vault_id)
    return _history(request, found, None)


@login_required
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def undelete(request: HttpRequest, vault_id: str) -> HttpResponse:
    """Say what would come back, and bring it back once that is confirmed."""
    found = _vault_to_change(request, vault_id)
    if request.method != "POST":
        return redirect("snapshots", vault_id=found.public_id)
    return confirmed(request, lambda: _undelete(request, found))


@login_required
@never_cache
@require_safe
def undelete_progress(request: HttpRequest, vault_id: str, number: int) -> HttpResponse:
    """How far an undelete is."""
    found = get_object_or_404(overview.vaults_seen_by(present_seat(request)), public_id=vault_id)
    row = get_object_or_404(Undelete.objects.select_related("credential"), vault=found, pk=number)
    context = {
        "vault": found,
        "row": row,
        "described": requests.described(row),
        "sentence": worker.sentence(row),
    }
    return render(request, "storage/undelete_progress.html", context)


def _undelete(request: HttpRequest, vault: Vault) -> HttpResponse:
    form = UndeleteForm(request.POST, vault=vault, snapshots=request.POST.getlist("snapshot"))
    if not form.is_valid():
        return _history(request, vault, form)
    try:
        if request.POST.get("step") == "go":
            row = requests.request(vault, form.wanted(), actor=actor_of(request))
            return redirect("undelete_progress", vault_id=vault.public_id, number=row.pk)
        plan = requests.plan(vault, form.wanted())
    except UndeleteError as error:
        form.add_error(None, str(error))
        return _history(request, vault, form)
    context = {"vault": vault, "plan": plan, "form": form, "data": form.cleaned_data}
    return render(request, "storage/undelete.html", context)


def _history(request: HttpRequest, vault: Vault, form: UndeleteForm | None) -> HttpResponse:
    page = Paginator(history.snapshots_of(vault), SNAPSHOTS_SHOWN).get_page(request.GET.get("page"))
    snapshots = [history.shown(one) for one in page]
    context = {
        "vault": vault,
        "page": page,
        "newer": f"?page={page.previous_page_number()}" if page.has_previous() else "",
        "older": f"?page={page.next_page_number()}" if page.has_next() else "",
        "snapshots": snapshots,
        "can_choose": any(one.removed_at for one in snapshots),
        "removals": history.removals_of(vault, REMOVALS_SHOWN),
        "undeletes": [
            (row, requests.described(row)) for row in history.undeletes_of(vault, UNDELETES_SHOWN)
        ],
        "form": form,
    }
    return render(request, "storage/snapshots.html", context)


def _vault_to_change(request: HttpRequest, vault_id: str) -> Vault:
    seat = present_seat(request).require(Right.CHANGE_BACKUPS)
    return get_object_or_404(overview.vaults_seen_by(seat), public_id=vault_id)
