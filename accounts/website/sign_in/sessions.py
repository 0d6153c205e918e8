"""Sessions: the browsers in which somebody is signed in. Ends one, and forgets those over."""

from allauth.usersessions.models import UserSession
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.contrib.sessions.models import Session
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils import timezone
from django.utils.translation import gettext
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST

from accounts.models import User
from accounts.website.acting import user_of

MOST = 30  # sessions of one person; another sign-in ends the oldest
BATCH = 1000


@login_required
@never_cache
@require_POST
def end_session(request: HttpRequest, session_id: int) -> HttpResponse:
    """End one of the person's own sessions."""
    own = UserSession.objects.filter(user=user_of(request))
    session = get_object_or_404(own, pk=session_id)
    if session.session_key == request.session.session_key:
        return redirect("account_logout")
    session.end()
    messages.success(request, gettext("That browser is signed out."))
    return redirect("usersessions_list")


def keep_newest(user: User) -> None:
    """End the oldest sessions of somebody who has more than is sensible."""
    for session in UserSession.objects.filter(user=user).order_by("-pk")[MOST:]:
        session.end()


def drop_over() -> int:
    """Forget some sessions that are over; return how many. Call again until there are none."""
    # By the computer's clock, which is what sessions go by.
    over = Session.objects.filter(expire_date__lte=timezone.now()).order_by("expire_date")
    return forget(list(over.values_list("pk", flat=True)[:BATCH]))


def forget(keys: list[str]) -> int:
    """Forget those of the sessions that are over still; a request may just have prolonged one."""
    over = Session.objects.filter(pk__in=keys, expire_date__lte=timezone.now())
    count = over.delete()[0]
    left = Session.objects.filter(pk__in=keys).values_list("pk", flat=True)
    UserSession.objects.filter(session_key__in=set(keys) - set(left)).delete()
    return count
