"""The activity page: what was done in the account, by whom, and from where."""

from urllib.parse import urlencode

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from accounts.access import present_seat
from accounts.website import activity_csv, history
from accounts.website.activity_filter import ActivityForm

A_PAGE = 50  # events


@login_required
@never_cache
@require_safe
def activity(request: HttpRequest) -> HttpResponse:
    """What was done in the account, newest first, a page at a time."""
    seat = present_seat(request)
    form = ActivityForm(request.GET)
    events = form.narrow(history.events_seen_by(seat))
    before = request.GET.get("before", "")
    if before.isdecimal() and len(before) < 19:
        events = events.filter(pk__lt=int(before))
    shown = history.entries(seat.account, events[: A_PAGE + 1])
    asked = {name: request.GET[name] for name in form.fields if request.GET.get(name)}
    older = {**asked, "before": shown[A_PAGE - 1].id} if len(shown) > A_PAGE else None
    return render(
        request,
        "accounts/activity.html",
        {
            "form": form,
            "history": shown[:A_PAGE],
            "narrowed": urlencode(asked),
            "older": urlencode(older) if older else "",
            "is_first": not before,
        },
    )


@login_required
@never_cache
@require_safe
def export(request: HttpRequest) -> StreamingHttpResponse:
    """The same, all of it, as a table."""
    seat = present_seat(request)
    events = ActivityForm(request.GET).narrow(history.events_seen_by(seat))
    response = StreamingHttpResponse(
        activity_csv.rows(seat.account, events), content_type="text/csv; charset=utf-8"
    )
    response["Content-Disposition"] = 'attachment; filename="nightsafe-activity.csv"'
    return response
