"""The page on which an owner connects a computer by the code that it shows."""

from contextlib import suppress
from dataclasses import dataclass

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.cache import cache
from django.db import transaction
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.utils.translation import gettext, gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from accounts.access import Seat, present_seat
from accounts.actions import DeviceNameTakenError
from accounts.models import Account, User
from accounts.name_field import NameField
from accounts.roles import Right
from accounts.website.acting import actor_of
from accounts.website.reauthentication import recently_authenticated
from storage.device_authorization import grant
from storage.models import Credential, DeviceAuthorization, Vault
from storage.vault_status import overview
from storage.vaults.credentials import TooManyCredentialsError
from storage.vaults.enrolment import LimitError, VaultNameTakenError, add_computer

NEW = "new"
GUESSES = 10  # wrong codes of a person
GUESSES_FOR = 15 * 60  # seconds
TOO_MANY = gettext_lazy(
    "Too many wrong codes. Wait a quarter of an hour, then begin anew on the computer."
)
UNKNOWN = gettext_lazy(
    "There is no computer with this code. Codes run out after a quarter of an hour; the computer "
    "can ask for another one."
)


class CodeForm(forms.Form):
    """The code that the computer shows."""

    code = forms.CharField(
        label=gettext_lazy("The code that the computer shows"),
        max_length=40,
        help_text=gettext_lazy("Eight letters, such as WDJB-MJHT."),
        widget=forms.TextInput(
            attrs={
                "autocomplete": "one-time-code",
                "autocapitalize": "characters",
                "spellcheck": "false",
                "autofocus": True,
                "data-code": "",
            }
        ),
    )


class ConnectForm(forms.Form):
    """What a computer is to do, and with which vault."""

    code = forms.CharField(max_length=40, widget=forms.HiddenInput)
    scope = forms.ChoiceField(
        label=gettext_lazy("What is it to do?"),
        choices=[
            (Credential.Scope.BACKUP, gettext_lazy("Back up and restore")),
            (Credential.Scope.RESTORE, gettext_lazy("Restore only")),
        ],
        initial=Credential.Scope.BACKUP,
        widget=forms.RadioSelect,
    )
    where = forms.ChoiceField(
        label=gettext_lazy("Which vault is it for?"), widget=forms.RadioSelect
    )
    name = NameField(
        label=gettext_lazy("Name of the computer"),
        max_length=100,
        required=False,
        help_text=gettext_lazy("Its credential and a new vault get the same name."),
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )

    def __init__(
        self, seat: Seat, asked: DeviceAuthorization, data: QueryDict | None, code: str
    ) -> None:
        self.vaults = {vault.public_id: vault for vault in overview.vaults_seen_by(seat)}
        where = "" if self.vaults else NEW  # whoever restores chooses one of these
        super().__init__(data, initial={"code": code, "where": where, "name": asked.computer})
        self.fields["where"].choices = [  # type: ignore[attr-defined]
            (NEW, gettext("A new vault of its own, for its backups")),
            *(
                (key, gettext("The vault “%(vault_name)s”") % {"vault_name": vault.name})
                for key, vault in self.vaults.items()
            ),
        ]

    def clean(self) -> dict[str, object]:
        """A new vault wants a name, and is of no use to a computer that only restores."""
        data: dict[str, object] = super().clean() or {}
        if data.get("where") == NEW and not data.get("name"):
            self.add_error("name", gettext("A new computer needs a name."))
        if data.get("where") == NEW and data.get("scope") == Credential.Scope.RESTORE:
            self.add_error(
                "scope", gettext("A new vault is empty; choose the vault to restore from.")
            )
        return data


@dataclass(frozen=True)
class _Asked:
    request: DeviceAuthorization
    code: str


@login_required
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@recently_authenticated
def connect(request: HttpRequest) -> HttpResponse:
    """Take the code, show which computer asks, and connect it or refuse it."""
    seat = present_seat(request).require(Right.CHANGE_BACKUPS)
    if request.method != "POST":
        return render(request, "storage/connect.html", {"form": CodeForm()})
    form = CodeForm(request.POST)
    asked = _find(request, form)
    if asked is None:
        return render(request, "storage/connect.html", {"form": form})
    match request.POST.get("act", ""):
        case "connect":
            return _connect(request, seat, asked)
        case "deny":
            return _deny(request, seat.account, asked)
    return _confirm(request, asked, ConnectForm(seat, asked.request, None, asked.code))


def _find(request: HttpRequest, form: CodeForm) -> _Asked | None:
    """Return the request that the code is of, or leave in the form why there is none."""
    if not form.is_valid():
        return None
    key = f"connect-guesses:{_user(request).pk}"
    if cache.get(key, 0) >= GUESSES:
        form.add_error("code", TOO_MANY)
        return None
    found = grant.find(form.cleaned_data["code"])
    if found is None:
        cache.add(key, 0, GUESSES_FOR)
        with suppress(ValueError):  # it ran out just now
            cache.incr(key)
        form.add_error("code", UNKNOWN)
        return None
    return _Asked(found, form.cleaned_data["code"])


def _confirm(request: HttpRequest, asked: _Asked, form: ConnectForm) -> HttpResponse:
    context = {"asked": asked.request, "form": form}
    return render(request, "storage/connect_confirm.html", context)


def _connect(request: HttpRequest, seat: Seat, asked: _Asked) -> HttpResponse:
    form = ConnectForm(seat, asked.request, request.POST, asked.code)
    if not form.is_valid():
        return _confirm(request, asked, form)
    try:
        vault = _approve(request, seat.account, asked, form)
    except grant.DecidedError:
        messages.error(request, UNKNOWN)
        return redirect("connect")
    except DeviceNameTakenError:
        form.add_error(
            "name", gettext("A computer of this name is in use already. Choose another name.")
        )
        return _confirm(request, asked, form)
    except (LimitError, TooManyCredentialsError) as error:
        form.add_error(None, str(error))
        return _confirm(request, asked, form)
    if vault is None:
        return _confirm(request, asked, form)
    messages.success(
        request,
        gettext("“%(computer)s” is connected. Go on there; it shows the next step.")
        % {"computer": asked.request.computer},
    )
    return redirect("vault", vault.public_id)


@transaction.atomic
def _approve(
    request: HttpRequest, account: Account, asked: _Asked, form: ConnectForm
) -> Vault | None:
    """Let the computer into the vault that was chosen or made for it, and return that.

    None where there is none, which the form says. Raises DecidedError, for it may be decided in
    another tab, TooManyCredentialsError, DeviceNameTakenError or a LimitError; then nothing was
    made.
    """
    vault = _vault(request, account, form)
    if vault is not None:
        grant.approve(
            asked.request,
            vault,
            scope=form.cleaned_data["scope"],
            by=_user(request),
            actor=actor_of(request),
            computer=form.cleaned_data["name"],
        )
    return vault


def _vault(request: HttpRequest, account: Account, form: ConnectForm) -> Vault | None:
    """Return the vault that was chosen or made, or leave in the form why there is none."""
    chosen = form.vaults.get(form.cleaned_data["where"])
    if chosen is not None:
        return chosen
    try:
        actor = actor_of(request)
        return add_computer(account, name=form.cleaned_data["name"], actor=actor)
    except (DeviceNameTakenError, VaultNameTakenError):
        form.add_error(
            "name",
            gettext(
                "There is a computer or a vault of this name already. Choose another name, or "
                "choose that vault above if this is the same computer."
            ),
        )
    except LimitError as error:
        form.add_error(None, str(error))
    return None


def _deny(request: HttpRequest, account: Account, asked: _Asked) -> HttpResponse:
    user = _user(request)
    try:
        grant.deny(asked.request, account=account, by=user, actor=actor_of(request))
    except grant.DecidedError:
        messages.error(request, UNKNOWN)
    else:
        messages.success(
            request, gettext("“%(computer)s” was refused.") % {"computer": asked.request.computer}
        )
    return redirect("dashboard")


def _user(request: HttpRequest) -> User:
    if not isinstance(request.user, User):
        raise TypeError("only views for signed-in people act")
    return request.user
