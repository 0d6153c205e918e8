"""Lets a form be sent once: a page that is loaded again makes no second secret.

The form carries a signed random value; the first request that spends it wins, in the cache whose
`add` has one winner.
"""

import secrets

from django.core import signing
from django.core.cache import cache
from django.http import HttpRequest
from django.utils.translation import gettext_lazy

FIELD = "once"
DONE = gettext_lazy(
    "This was done already. What it showed is shown once; make another one if you need it."
)
_SALT = "accounts.once"
_A_DAY = 24 * 3600  # seconds


def issue(request: HttpRequest) -> str:
    """Return a value for a form's hidden field `once`."""
    return signing.dumps([request.user.pk, secrets.token_urlsafe(16)], salt=_SALT)


def spend(request: HttpRequest) -> bool:
    """Return whether a form's value is this person's, young enough, and was never spent."""
    try:
        whose, value = signing.loads(request.POST.get(FIELD, ""), salt=_SALT, max_age=_A_DAY)
    except (signing.BadSignature, ValueError, TypeError):
        return False
    return whose == request.user.pk and cache.add(f"once:{value}", True, _A_DAY)
