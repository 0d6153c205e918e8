"""Pages on which a vault is deleted, and kept after all."""

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from accounts.access import present_seat
from accounts.roles import Right
from accounts.website.acting import actor_of
from accounts.website.reauthentication import require_presence
from storage.deletion import whole_vaults
from storage.deletion.vaults import VaultInUseError, delete_vault
from storage.models import Vault
from storage.rewind.kept_vaults import keep
from storage.rewind.requests import UndeleteError
from storage.vault_status import overview
from storage.website.forms import DeletionForm


@login_required
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def delete(request: HttpRequest, vault_id: str) -> HttpResponse:
    """Ask, then delete a vault: one that was never set up at once, others after the grace."""
    found = _vault_to_change(request, vault_id)
    require_presence(request)
    form = DeletionForm(request.POST if request.method == "POST" else None, wanted=found.name)
    if request.method == "POST" and (found.is_new or form.is_valid()):
        return _delete(request, found)
    return render(request, "storage/vault_delete.html", {"vault": found, "form": form})


def _delete(request: HttpRequest, vault: Vault) -> HttpResponse:
    try:
        if vault.is_new:
            delete_vault(vault, actor=actor_of(request))
            messages.success(
                request, gettext("“%(vault_name)s” is gone.") % {"vault_name": vault.name}
            )
            return redirect("dashboard")
        whole_vaults.ask(vault, actor=actor_of(request))
    except VaultInUseError as error:
        messages.error(request, str(error))
    else:
        messages.success(
            request,
            gettext("“%(vault_name)s” is going to be deleted.") % {"vault_name": vault.name},
        )
    return redirect("vault", vault_id=vault.public_id)


@login_required
@never_cache
@require_POST
def keep_vault(request: HttpRequest, vault_id: str) -> HttpResponse:
    """Keep a vault whose deletion was asked for."""
    found = _vault_to_change(request, vault_id)
    try:
        back = keep(found, actor=actor_of(request))
    except UndeleteError as error:
        messages.error(request, str(error))
        return redirect("vault", vault_id=found.public_id)
    messages.success(request, gettext("“%(found_name)s” stays.") % {"found_name": found.name})
    if back is not None:
        return redirect("undelete_progress", vault_id=found.public_id, number=back.pk)
    return redirect("vault", vault_id=found.public_id)


def _vault_to_change(request: HttpRequest, vault_id: str) -> Vault:
    seat = present_seat(request).require(Right.CHANGE_BACKUPS)
    return get_object_or_404(overview.vaults_seen_by(seat), public_id=vault_id)
