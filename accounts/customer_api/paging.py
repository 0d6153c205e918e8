"""Pages of lists, by the primary key of the last row: unique, never null, and never counted.

The stock cursor loops where many rows are equal in what they are ordered by, and leaves rows out
where that is null.
"""

import base64
import binascii
from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.db.models import Model, QuerySet
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

DEFAULT, MOST = 50, 200  # rows of a page
_MAX_KEY = 2**63


def page(
    request: Request, rows: QuerySet[Any], show: Callable[[Sequence[Any]], list[dict[str, Any]]]
) -> Response:
    """Answer with the page of `rows` that was asked for, newest first.

    `show` turns the rows of a page into what is shown of them, all at once. Raises ValidationError
    for a limit or cursor that is none.
    """
    limit, after = _limit(request), _after(request)
    rows = rows.order_by("-pk")
    if after is not None:
        rows = rows.filter(pk__lt=after)
    found: list[Model] = list(rows[: limit + 1])
    shown = found[:limit]
    following = _link(request, shown[-1].pk) if len(found) > limit else None
    return Response({"results": show(shown), "next": following})


def _limit(request: Request) -> int:
    text = request.query_params.get("limit", str(DEFAULT))
    if not text.isascii() or not text.isdigit() or not 1 <= int(text[:10]) <= MOST:
        raise ValidationError({"limit": f"A whole number from 1 to {MOST}."})
    return int(text)


def _after(request: Request) -> int | None:
    text = request.query_params.get("cursor")
    if text is None:
        return None
    try:
        key = int(base64.b32decode(text, casefold=True).decode("ascii"))
    except (binascii.Error, ValueError):
        key = -1
    if not 0 <= key < _MAX_KEY:
        raise ValidationError({"cursor": "Take it from `next` of the page before."})
    return key


def _link(request: Request, key: int) -> str:
    cursor = base64.b32encode(str(key).encode("ascii")).decode("ascii")
    kept = {name: value for name, value in request.query_params.items() if name != "cursor"}
    return f"{settings.SITE_URL}{request.path}?{urlencode(kept | {'cursor': cursor})}"
