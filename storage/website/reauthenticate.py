"""Has people prove who they are before what is dangerous."""

from collections.abc import Callable

from allauth.account.decorators import reauthentication_required
from django.http import HttpRequest, HttpResponse


def confirmed(request: HttpRequest, answer: Callable[[], HttpResponse]) -> HttpResponse:
    """Return the answer, to a POST only from somebody who proved a moment ago who they are.

    Others are asked for that first, and the POST goes on afterwards.
    """

    def view(_: HttpRequest) -> HttpResponse:
        return answer()

    guarded: Callable[[HttpRequest], HttpResponse]
    guarded = reauthentication_required(allow_get=True)(view)
    return guarded(request)
