"""Pages about a vault's credentials: making, naming, replacing and revoking them."""

from datetime import timedelta

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_variables
from django.views.decorators.http import require_http_methods

from accounts.access import present_seat
from accounts.roles import Right
from accounts.website import once
from accounts.website.acting import actor_of
from accounts.website.reauthentication import require_presence
from storage.models import Credential, Vault
from storage.vault_status import overview
from storage.vaults import credential_changes, credentials, devices
from storage.vaults.enrolment import AlreadySetUpError, renew_setup
from storage.website.forms import CredentialForm, LabelForm, RotationForm
from storage.website.vault_acts.secret_page import secret_page


@login_required
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@sensitive_variables("made")
def add_credential(request: HttpRequest, vault_id: str) -> HttpResponse:
    """Make a further credential for a vault; the answer to the form shows it, once."""
    found = _vault_to_change(request, vault_id)
    require_presence(request)
    form = CredentialForm(request.POST if request.method == "POST" else None)
    if form.is_valid():
        if not once.spend(request):
            return _done(request, found)
        try:
            device = devices.device_for(found, form.cleaned_data["scope"])
            made = credentials.create(
                found, actor=actor_of(request), device=device, **form.cleaned_data
            )
        except credentials.TooManyCredentialsError as error:
            form.add_error(None, str(error))
        else:
            return secret_page(request, found, made)
    context = {"vault": found, "form": form, "once": once.issue(request)}
    return render(request, "storage/credential_add.html", context)


@login_required
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@sensitive_variables("made")
def set_up_again(request: HttpRequest, vault_id: str) -> HttpResponse:
    """Give a vault that was never set up a fresh credential to do so with."""
    found = _vault_to_change(request, vault_id)
    require_presence(request)
    if request.method != "POST":
        context = {"vault": found, "once": once.issue(request)}
        return render(request, "storage/vault_set_up.html", context)
    if not once.spend(request):
        return _done(request, found)
    try:
        made = renew_setup(found, actor=actor_of(request))
    except (AlreadySetUpError, credentials.TooManyCredentialsError) as error:
        messages.error(request, str(error))
        return redirect("vault", vault_id=found.public_id)
    return secret_page(request, found, made)


@login_required
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def rename_credential(request: HttpRequest, vault_id: str, prefix: str) -> HttpResponse:
    """Call a credential otherwise."""
    found = _vault_to_change(request, vault_id)
    credential = _credential(found, prefix)
    form = LabelForm(request.POST if request.method == "POST" else None, now=credential.label)
    if form.is_valid():
        credentials.rename(credential, actor=actor_of(request), **form.cleaned_data)
        messages.success(request, gettext("Saved."))
        return redirect("vault", vault_id=found.public_id)
    context = {"vault": found, "credential": credential, "form": form}
    return render(request, "storage/credential_rename.html", context)


@login_required
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@sensitive_variables("made")
def rotate_credential(request: HttpRequest, vault_id: str, prefix: str) -> HttpResponse:
    """Replace a credential by a new one that may do the same; the old one ends as chosen."""
    found = _vault_to_change(request, vault_id)
    credential = _credential(found, prefix, revoked_at=None)
    require_presence(request)
    form = RotationForm(request.POST if request.method == "POST" else None)
    if form.is_valid():
        if not once.spend(request):
            return _done(request, found)
        overlap = timedelta(hours=form.cleaned_data["hours"])
        try:
            made = credential_changes.rotate(credential, overlap=overlap, actor=actor_of(request))
        except (credential_changes.NotInUseError, credentials.TooManyCredentialsError) as error:
            form.add_error(None, str(error))
        else:
            credential.refresh_from_db()
            return secret_page(request, found, made, replaces=credential)
    context = {
        "vault": found,
        "credential": credential,
        "form": form,
        "once": once.issue(request),
    }
    return render(request, "storage/credential_rotate.html", context)


@login_required
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def key_window(request: HttpRequest, vault_id: str, prefix: str) -> HttpResponse:
    """Ask, then let a credential change the vault's keys for a short while; or end that."""
    found = _vault_to_change(request, vault_id)
    credential = _credential(found, prefix, revoked_at=None)
    require_presence(request)
    if request.method != "POST":
        context = {
            "vault": found,
            "credential": credential,
            "minutes": credential_changes.key_window_minutes(),
        }
        return render(request, "storage/credential_keys.html", context)
    if request.POST.get("step") == "close":
        credential_changes.close_key_window(credential, actor=actor_of(request))
        messages.success(request, gettext("Keys can no longer be changed."))
    else:
        try:
            credential_changes.open_key_window(credential, actor=actor_of(request))
        except credential_changes.NotInUseError as error:
            messages.error(request, str(error))
        else:
            messages.success(
                request,
                gettext(
                    "%(prefix)s may add and remove keys for %(key_window_minutes)s minutes from "
                    "now on."
                )
                % {
                    "prefix": credential.prefix,
                    "key_window_minutes": credential_changes.key_window_minutes(),
                },
            )
    return redirect("vault", vault_id=found.public_id)


@login_required
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def revoke_credential(request: HttpRequest, vault_id: str, prefix: str) -> HttpResponse:
    """Ask, then end a credential."""
    found = _vault_to_change(request, vault_id)
    credential = _credential(found, prefix, revoked_at=None)
    if request.method != "POST":
        context = {"vault": found, "credential": credential}
        return render(request, "storage/credential_revoke.html", context)
    credentials.revoke(credential, actor=actor_of(request))
    messages.success(
        request, gettext("The credential %(prefix)s is revoked.") % {"prefix": credential.prefix}
    )
    return redirect("vault", vault_id=found.public_id)


def _vault_to_change(request: HttpRequest, vault_id: str) -> Vault:
    seat = present_seat(request).require(Right.CHANGE_BACKUPS)
    return get_object_or_404(overview.vaults_seen_by(seat), public_id=vault_id)


def _credential(vault: Vault, prefix: str, **more: object) -> Credential:
    named = overview.credentials_of(vault).select_related("vault__account", "device")
    return get_object_or_404(named, prefix=prefix, **more)


def _done(request: HttpRequest, vault: Vault) -> HttpResponse:
    """Answer a form that comes again."""
    messages.info(request, once.DONE)
    return redirect("vault", vault_id=vault.public_id)
