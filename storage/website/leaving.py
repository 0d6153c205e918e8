"""Pages for whoever leaves: the export, closing an account, deleting one's sign-in."""

from django import forms
from django.conf import settings
from django.contrib import messages
from django.contrib.auth import logout
from django.contrib.auth.decorators import login_required
from django.core.cache import cache
from django.http import HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from accounts import audit
from accounts.access import Seat, present_seat, seat_or_none, seats_of
from accounts.closing import plan
from accounts.closing.actions import ClosingError, close
from accounts.models import Account, Closing, User
from accounts.roles import Right
from accounts.website.acting import actor_of, user_of
from accounts.website.reauthentication import is_there, page_of_proof, recently_authenticated
from backup_service import clock
from billing.closing import reopen
from storage.leaving import persons
from storage.leaving.export import archive, sections

PAUSE = 60  # seconds between two exports of a person


class TypedForm(forms.Form):
    """Has a name typed by whoever means it."""

    typed = forms.CharField(
        max_length=300, widget=forms.TextInput({"autocomplete": "off", "spellcheck": "false"})
    )

    def __init__(self, data: object = None, *, name: str, label: str) -> None:
        super().__init__(data)  # type: ignore[arg-type]
        self._name = " ".join(name.split())
        self.fields["typed"].label = label

    def clean_typed(self) -> str:
        """Return what was typed; spaces may differ. Raises ValidationError for another name."""
        typed = " ".join(self.cleaned_data["typed"].split())
        if typed != self._name:
            raise forms.ValidationError(gettext("That is another name; nothing was changed."))
        return typed


@login_required
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def export(request: HttpRequest) -> HttpResponseBase:
    """Say what is in the export, and hand it out."""
    user, seat = user_of(request), seat_or_none(request)
    owned = seat.account if seat and seat.may(Right.CLOSE_ACCOUNT) else None
    if request.method != "POST":
        return render(request, "leaving/export.html", {"owned": owned})
    if not is_there(request):  # and then back: a file that came at once would leave them there
        return redirect(page_of_proof(request, then=request.path))
    if not cache.add(f"export:{user.pk}", True, PAUSE):
        messages.error(request, gettext("You have just downloaded it. Please wait a minute."))
        return redirect("export")
    return _archive(request, user, owned)


def _archive(request: HttpRequest, user: User, owned: Account | None) -> StreamingHttpResponse:
    found = sections.of_person(user) + (sections.of_account(owned) if owned else [])
    if owned:
        audit.record(actor_of(request), "account.export", owned.public_id, account=owned)
    named = owned.name if owned else "none"
    response = StreamingHttpResponse(
        archive.stream(found, account=named, site=settings.SITE_URL),
        content_type="application/zip",
    )
    day = f"{clock.now():%Y-%m-%d}"
    response["Content-Disposition"] = f'attachment; filename="nightsafe-{day}.zip"'
    return response


@login_required
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@recently_authenticated
def close_account(request: HttpRequest) -> HttpResponse:
    """Say what closing means and when, and close the account; or how far a closed one is."""
    seat = present_seat(request).require(Right.CLOSE_ACCOUNT)
    account = seat.account
    closing = Closing.objects.filter(account=account).first()
    if closing is not None:
        return render(request, "leaving/closed.html", _closed(seat, closing))
    form = TypedForm(
        request.POST if request.method == "POST" else None,
        name=account.name,
        label=gettext("Type the account’s name: %(account_name)s") % {"account_name": account.name},  # noqa: RUF001
    )
    if form.is_valid():
        try:
            close(account, reason=Closing.Reason.OWNER, actor=actor_of(request))
        except ClosingError as error:
            messages.error(request, str(error))
        return redirect("account_close")
    context = {"account": account, "form": form, "erased": clock.now() + plan.COOLING_OFF}
    return render(request, "leaving/close.html", context)


def _closed(seat: Seat, closing: Closing) -> dict[str, object]:
    is_unpaid = closing.reason == Closing.Reason.UNPAID
    return {
        "account": seat.account,
        "closing": closing,
        "is_unpaid": is_unpaid,
        "may_reopen": plan.may_reopen(closing, clock.now()) and not is_unpaid,
    }


@login_required
@never_cache
@require_POST
@recently_authenticated
def reopen_account(request: HttpRequest) -> HttpResponse:
    """Open a closed account again."""
    account = present_seat(request).require(Right.CLOSE_ACCOUNT).account
    try:
        reopen(account, actor=actor_of(request))
    except ClosingError as error:
        messages.error(request, str(error))
    else:
        messages.success(
            request,
            gettext("The account “%(account_name)s” is open again.")
            % {"account_name": account.name},
        )
    return redirect("account_close")


@login_required
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@recently_authenticated
def delete_sign_in(request: HttpRequest) -> HttpResponse:
    """Say what deleting one's sign-in means, and do it."""
    user = user_of(request)
    form = TypedForm(
        request.POST if request.method == "POST" else None,
        name=user.email,
        label=gettext("Type your e-mail address: %(user_email)s") % {"user_email": user.email},
    )
    if form.is_valid():
        try:
            persons.erase_oneself(user)
        except ClosingError as error:
            form.add_error(None, str(error))
        else:
            logout(request)
            messages.success(request, gettext("Your sign-in is deleted, and you are signed out."))
            return redirect("landing")
    context = {
        "form": form,
        "seats": list(seats_of(user)[:100]),
        "hindrance": persons.hindrance(user) or "",
    }
    return render(request, "leaving/delete_sign_in.html", context)
