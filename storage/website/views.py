"""Pages about devices, vaults and credentials."""

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext, ngettext
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_variables
from django.views.decorators.http import require_http_methods

from accounts.access import devices_seen_by, present_seat
from accounts.actions import DeviceNameTakenError, choose_continent, rename_device
from accounts.closed_accounts import ClosedAccountError
from accounts.models import Account
from accounts.roles import Right
from accounts.templatetags.amounts import number
from accounts.website import once
from accounts.website.acting import actor_of
from storage.deletion.vaults import give_up_lost
from storage.objects import placement
from storage.stores.shared_disks import share_a_disk
from storage.vault_status import overview
from storage.vaults import devices
from storage.vaults.enrolment import (
    Enrolled,
    LimitError,
    VaultNameTakenError,
    enrol_device,
    rename_vault,
)
from storage.vaults.expectations import expect_every
from storage.vaults.recovery_point import lost_of
from storage.website.forms import (
    ContinentForm,
    DeviceForm,
    DeviceNameForm,
    IntervalForm,
    VaultForm,
)
from storage.website.vault_acts.secret_page import secret_page


@login_required
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@sensitive_variables("enrolled")
def add_device(request: HttpRequest) -> HttpResponse:
    """Add a device; the answer to the form shows its credential, once."""
    account = present_seat(request).require(Right.CHANGE_BACKUPS).account
    form = DeviceForm(
        request.POST if request.method == "POST" else None, continents=_to_choose_from(account)
    )
    if form.is_valid():
        if not once.spend(request):
            messages.info(request, once.DONE)
            return redirect("dashboard")
        enrolled = _enrol(request, account, form)
        if enrolled is not None:
            return secret_page(request, enrolled.vault, enrolled.first)
    context = {"form": form, "once": once.issue(request)}
    return render(request, "storage/device_add.html", context)


def _enrol(request: HttpRequest, account: Account, form: DeviceForm) -> Enrolled | None:
    """Enrol the device, or leave the reason why not in the form."""
    try:
        return enrol_device(account, actor=actor_of(request), **form.cleaned_data)
    except DeviceNameTakenError:
        form.add_error(
            "name", gettext("A computer of this name is in use already. Choose another name.")
        )
    except VaultNameTakenError:
        form.add_error(
            "name",
            gettext(
                "There is a vault of this name, from a computer that was retired. Choose another "
                "name, or go on with that vault: run `nightsafe login` on the computer and choose "
                "it."
            ),
        )
    except LimitError as error:
        form.add_error(None, str(error))
    return None


def _to_choose_from(account: Account) -> list[str]:
    """Return the continents to choose between with an account's first vault, if there are any."""
    if account.continent or account.vaults.exists():
        return []
    continents = placement.continents_on_offer()
    return continents if len(continents) > 1 else []


@login_required
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def continent(request: HttpRequest) -> HttpResponse:
    """Choose where the account's new backups live."""
    account = present_seat(request).require(Right.CHANGE_ACCOUNT).account
    form = ContinentForm(
        request.POST if request.method == "POST" else None,
        continents=placement.continents_on_offer(),
        now=account.continent,
    )
    if form.is_valid():
        try:
            choose_continent(account, actor=actor_of(request), **form.cleaned_data)
        except ClosedAccountError as error:
            form.add_error(None, str(error))
        else:
            messages.success(request, gettext("Saved. It holds for new backups from now on."))
            return redirect("settings")
    context = {"form": form, "shares_disk": share_a_disk()}
    return render(request, "storage/continent.html", context)


@login_required
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def rename_a_device(request: HttpRequest, device_id: str) -> HttpResponse:
    """Give a device another name."""
    seat = present_seat(request).require(Right.CHANGE_BACKUPS)
    device = get_object_or_404(devices_seen_by(seat), public_id=device_id, retired_at=None)
    form = DeviceNameForm(request.POST if request.method == "POST" else None, now=device.name)
    if form.is_valid():
        try:
            rename_device(device, actor=actor_of(request), **form.cleaned_data)
        except DeviceNameTakenError:
            form.add_error(
                "name", gettext("A computer of this name is in use already. Choose another name.")
            )
        else:
            messages.success(
                request,
                gettext("The computer is called “%(device_name)s” now.")
                % {"device_name": device.name},
            )
            return redirect("dashboard")
    return render(request, "storage/device_rename.html", {"device": device, "form": form})


@login_required
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def retire(request: HttpRequest, device_id: str) -> HttpResponse:
    """Ask, then take a device out of use."""
    seat = present_seat(request).require(Right.CHANGE_BACKUPS)
    device = get_object_or_404(devices_seen_by(seat), public_id=device_id)
    if request.method != "POST":
        context = {
            "device": device,
            "ending": devices.ending_with(device),
            "staying": devices.staying_after(device),
        }
        return render(request, "storage/device_retire.html", context)
    devices.retire_device(device, actor=actor_of(request))
    messages.success(
        request,
        gettext("“%(device_name)s” is retired. Its backups are still here.")
        % {"device_name": device.name},
    )
    return redirect("dashboard")


@login_required
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def rename(request: HttpRequest, vault_id: str) -> HttpResponse:
    """Give a vault another name."""
    seat = present_seat(request).require(Right.CHANGE_BACKUPS)
    found = get_object_or_404(overview.vaults_seen_by(seat), public_id=vault_id)
    form = VaultForm(request.POST if request.method == "POST" else None, now=found.name)
    if form.is_valid():
        try:
            rename_vault(found, actor=actor_of(request), **form.cleaned_data)
        except VaultNameTakenError:
            form.add_error(
                "name", gettext("There is a vault of this name already. Choose another name.")
            )
        else:
            messages.success(
                request,
                gettext("The vault is called “%(found_name)s” now.") % {"found_name": found.name},
            )
            return redirect("vault", vault_id=found.public_id)
    return render(request, "storage/vault_rename.html", {"vault": found, "form": form})


@login_required
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def interval(request: HttpRequest, vault_id: str) -> HttpResponse:
    """Say how often backups of a vault are expected."""
    seat = present_seat(request).require(Right.CHANGE_BACKUPS)
    found = get_object_or_404(overview.vaults_seen_by(seat), public_id=vault_id)
    data = request.POST if request.method == "POST" else None
    form = IntervalForm(data, now=found.expected_interval // 3600)
    if form.is_valid():
        expect_every(found, form.interval(), actor=actor_of(request))
        messages.success(request, gettext("Saved. From now on the vault is judged by that."))
        return redirect("vault", vault_id=found.public_id)
    return render(request, "storage/vault_interval.html", {"vault": found, "form": form})


@login_required
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def give_up(request: HttpRequest, vault_id: str) -> HttpResponse:
    """Ask, then take what is lost off a vault's list."""
    seat = present_seat(request).require(Right.CHANGE_BACKUPS)
    found = get_object_or_404(overview.vaults_seen_by(seat), public_id=vault_id)
    if request.method != "POST":
        context = {"vault": found, "lost": lost_of(found)}
        return render(request, "storage/vault_give_up.html", context)
    count = give_up_lost(found, actor=actor_of(request))
    left = lost_of(found).count
    if count:
        said = ngettext(
            "%(count)s lost object is off the list of “%(name)s”.",
            "%(count)s lost objects are off the list of “%(name)s”.",
            count,
        ) % {"count": number(count), "name": found.name}
        if left:
            more = ngettext(
                "%(left)s more is on it; do it again for that.",
                "%(left)s more are on it; do it again for those.",
                left,
            )
            said += " " + more % {"left": number(left)}
        messages.success(request, said)
    elif left:
        messages.error(
            request,
            gettext(
                "Nothing was taken off the list: what is lost are keys or the config, without "
                "which the vault cannot be opened. Write to those who run the service."
            ),
        )
    return redirect("vault", vault_id=found.public_id)
