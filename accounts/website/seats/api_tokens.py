"""Pages about API tokens: which there are, making one, and revoking it."""

from datetime import timedelta

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_variables
from django.views.decorators.http import require_http_methods, require_POST

from accounts.access import present_seat
from accounts.roles import Right
from accounts.tokens import tokens
from accounts.website import once
from accounts.website.acting import actor_of
from accounts.website.reauthentication import recently_authenticated
from accounts.website.seats.forms import TokenForm
from backup_service import clock


@login_required
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@recently_authenticated
@sensitive_variables("made")
def api_tokens(request: HttpRequest) -> HttpResponse:
    """The account's tokens; the answer to the form shows a new one, once."""
    seat = present_seat(request).require(Right.CHANGE_TOKENS)
    form = TokenForm(request.POST if request.method == "POST" else None)
    if form.is_valid() and not once.spend(request):
        messages.info(request, once.DONE)
        return redirect("tokens")
    if form.is_valid():
        days = form.cleaned_data["days"]
        try:
            made = tokens.create(
                seat.membership,
                scope=form.cleaned_data["scope"],
                label=form.cleaned_data["label"],
                actor=actor_of(request),
                expires_at=clock.now() + timedelta(days=days) if days else None,
            )
        except (tokens.NoSeatError, tokens.TooManyTokensError) as error:
            form.add_error(None, str(error))
        except tokens.TooLongError as error:
            form.add_error("days", str(error))
        else:
            return render(request, "accounts/token_once.html", {"made": made})
    shown = tokens.tokens_of(seat.account)[: 2 * tokens.MOST_TOKENS]
    context = {"form": form, "tokens": shown, "now": clock.now(), "once": once.issue(request)}
    return render(request, "accounts/tokens.html", context)


@login_required
@never_cache
@require_POST
def revoke_token(request: HttpRequest, token: str) -> HttpResponse:
    """End a token."""
    seat = present_seat(request).require(Right.CHANGE_TOKENS)
    found = get_object_or_404(tokens.tokens_of(seat.account), prefix=token)
    tokens.revoke(found, actor=actor_of(request))
    messages.success(
        request, gettext("The token %(prefix)s opens nothing any more.") % {"prefix": found.prefix}
    )
    return redirect("tokens")
