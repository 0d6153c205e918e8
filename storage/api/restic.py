"""restic's REST protocol, versions 1 and 2.

Source: restic's description of its REST backend. Bodies are streamed in and out; refusals are
answered after the body was read, up to a bound, so that the client gets to see the reason.
"""

import logging
from collections.abc import Callable
from http import HTTPStatus

from django.conf import settings
from django.db import OperationalError
from django.http import (
    HttpRequest,
    HttpResponse,
    HttpResponseBase,
    HttpResponseNotAllowed,
    StreamingHttpResponse,
)

from storage.api.discard_body import discard, hang_up
from storage.api.range_header import parse_range
from storage.api.refused import Call
from storage.api.region_override import region_of
from storage.api.upload_limiter import Admission, staying, uploads
from storage.body import HashedBody, stream_of
from storage.database.connections import lend_connection
from storage.deletion import tombstones
from storage.downloads import listings, read
from storage.errors import (
    BadRequestError,
    BusyError,
    ForbiddenError,
    LengthRequiredError,
    RangeError,
    RefusedError,
    UnknownError,
)
from storage.events.refusals import refusals
from storage.object_names import (
    CONFIG,
    InvalidNameError,
    ObjectName,
    ObjectType,
    UnknownTypeError,
    parse_name,
    parse_type,
)
from storage.uploads import ingest
from storage.vaults import index_freshness, locks
from storage.vaults.access import Access, open_vault

log = logging.getLogger(__name__)
VERSION_2 = "application/vnd.x.restic.rest.v2"
REASON_SIZE = 400  # characters
View = Callable[..., HttpResponseBase]


def answered(view: View) -> View:
    """Turn refusals into answers: a status that restic understands and one plain sentence."""

    def wrapped(request: HttpRequest, vault: str, **parts: str) -> HttpResponseBase:
        response = staying(lambda stay: _answer(view, request, vault, parts, stay))
        refusals.flush()
        if isinstance(response, HttpResponse) and not response.has_header("Content-Length"):
            response["Content-Length"] = str(len(response.content))
        return response

    wrapped.__name__, wrapped.__doc__ = view.__name__, view.__doc__
    wrapped.csrf_exempt = True  # type: ignore[attr-defined]
    return wrapped


def _answer(
    view: View, request: HttpRequest, vault: str, parts: dict[str, str], stay: Admission
) -> HttpResponseBase:
    call = Call(request, vault)
    try:
        call.access = access = open_vault(request.headers.get("Authorization"), vault)
        stay.begin(access.vault.account_id)
        return view(request, access, **parts)
    except RefusedError as refusal:
        return _refuse(call, refusal)
    except UnknownTypeError as error:
        return _refuse(call, UnknownError(str(error)))
    except InvalidNameError as error:
        return _refuse(call, BadRequestError(str(error)))
    except OperationalError:  # which would not take a note of it either
        log.exception("the database did not take it")
        return refuse(request, BusyError("The service is busy; send it again."))
    except Exception:
        call.note_failure()
        raise


def _refuse(call: Call, refusal: RefusedError) -> HttpResponse:
    response = refuse(call.request, refusal)
    call.note(refusal, refusal.data_status)
    return response


@answered
def vault_view(request: HttpRequest, access: Access) -> HttpResponseBase:
    """`POST ?create=true` begins a repository; `DELETE` is not for programs."""
    if request.method == "POST" and request.GET.get("create") == "true":
        tombstones.discard_leftover_keys(access)
        return HttpResponse()
    if request.method == "DELETE":
        raise ForbiddenError(
            "No program can delete a vault. To make room, remove snapshots with a credential of "
            "scope maintain; one that was never set up is deleted on its page."
        )
    return HttpResponseNotAllowed(["POST"])


@answered
def config_view(request: HttpRequest, access: Access) -> HttpResponseBase:
    """The vault's `config`."""
    return _object(request, access, CONFIG)


@answered
def list_view(request: HttpRequest, access: Access, kind: str) -> HttpResponseBase:
    """Names of one type, with sizes for clients that speak version 2."""
    checked = parse_type(kind)
    if request.method not in {"GET", "HEAD"}:
        return HttpResponseNotAllowed(["GET", "HEAD"])
    access.require_read()
    if request.method == "HEAD":
        return HttpResponse()
    is_v2 = VERSION_2 in request.headers.get("Accept", "")
    listed = _listing(access, checked, with_sizes=is_v2)
    if checked is ObjectType.INDEX:
        index_freshness.saw_index(access.credential, access.vault.sequence)
    content_type = VERSION_2 if is_v2 else "application/json"
    if listed.is_small:
        return HttpResponse(b"".join(listed.chunks()), content_type=content_type)
    lend_connection()
    response = StreamingHttpResponse(listed.chunks(), content_type=content_type)
    response["Content-Length"] = str(listed.length)
    return response


@answered
def object_view(request: HttpRequest, access: Access, kind: str, name: str) -> HttpResponseBase:
    """One object: HEAD, GET (whole or a range), POST, DELETE."""
    return _object(request, access, parse_name(kind, name))


def _object(request: HttpRequest, access: Access, name: ObjectName) -> HttpResponseBase:
    if request.method == "POST":
        return _post(request, access, name)
    if request.method == "DELETE":
        tombstones.remove(access, name)
        return HttpResponse()
    if request.method in {"GET", "HEAD"}:
        access.require_read()
        return _lock(access, name) if name.type is ObjectType.LOCK else _get(request, access, name)
    return HttpResponseNotAllowed(["HEAD", "GET", "POST", "DELETE"])


def _post(request: HttpRequest, access: Access, name: ObjectName) -> HttpResponse:
    announced = request.headers.get("Content-Length", "")
    if not announced.isascii() or not announced.isdigit():
        raise LengthRequiredError("An upload must announce its length (Content-Length).")
    stall = request.META.get("gunicorn.socket")
    if stall is not None:
        stall.settimeout(settings.GATEWAY_STALL)
    body = HashedBody(
        stream_of(request),
        size=int(announced),
        sha256=name.expected_sha256,
        min_rate=settings.GATEWAY_MIN_RATE,
    )
    lend_connection()  # a slot may have to be waited for
    with uploads.slot(access.vault.account_id):
        ingest.deposit(access, name, body, into=region_of(request, access))
    return HttpResponse()


def _get(request: HttpRequest, access: Access, name: ObjectName) -> HttpResponseBase:
    obj = read.find(access.vault, name)
    if request.method == "HEAD":
        return HttpResponse(headers={"Content-Length": str(obj.size)})
    # No object has a validator that an If-Range could be about, so it never holds.
    asked = None if "If-Range" in request.headers else request.headers.get("Range")
    span = parse_range(asked, obj.size)
    region, reader = region_of(request, access), access.credential.prefix
    # A store may make something else of a header that counts for nothing here.
    may_go = region is None and (span is not None or "Range" not in request.headers)
    address = read.elsewhere(obj, span, reader=reader) if may_go else None
    if address is not None:
        headers = {"Location": address, "Cache-Control": "no-store"}
        return HttpResponse(status=HTTPStatus.TEMPORARY_REDIRECT, headers=headers)
    out = read.fetch(obj, span, reader=reader, region=region)
    lend_connection()
    response = StreamingHttpResponse(out.chunks, content_type="application/octet-stream")
    response["Content-Length"] = str(out.span.length)
    response["Accept-Ranges"] = "bytes"
    if span is not None:
        last = out.span.start + out.span.length - 1
        response.status_code = HTTPStatus.PARTIAL_CONTENT
        response["Content-Range"] = f"bytes {out.span.start}-{last}/{out.size}"
    return response


def _lock(access: Access, name: ObjectName) -> HttpResponse:
    return HttpResponse(locks.get(access.vault, name), content_type="application/octet-stream")


def _listing(access: Access, kind: ObjectType, *, with_sizes: bool) -> listings.Listing:
    if kind is ObjectType.LOCK:
        return listings.of_pairs(locks.listing(access), with_sizes=with_sizes)
    return listings.of_objects(access.vault, kind, with_sizes=with_sizes)


def refuse(request: HttpRequest, refusal: RefusedError) -> HttpResponse:
    (hang_up if refusal.hangs_up else discard)(request)
    text = b"" if request.method == "HEAD" else f"{refusal}\n".encode("utf-8", "replace")
    response = HttpResponse(
        text,
        status=refusal.data_status,
        reason=_reason(refusal),
        content_type="text/plain; charset=utf-8",
    )
    if refusal.status == HTTPStatus.UNAUTHORIZED:
        response["WWW-Authenticate"] = 'Basic realm="Nightsafe vault", charset="UTF-8"'
    response["Nightsafe-Refusal"] = refusal.code
    if refusal.retry_after is not None:
        response["Retry-After"] = str(refusal.retry_after)
    if isinstance(refusal, RangeError):
        response["Content-Range"] = f"bytes */{refusal.size}"
    return response


def _reason(refusal: RefusedError) -> str:
    """The status line's phrase, which is all that stock restic shows: the refusal's own text."""
    plain = "".join(char if " " <= char <= "~" else " " for char in str(refusal))
    words = " ".join(plain.split()) or refusal.data_status.phrase
    return words if len(words) <= REASON_SIZE else words[: REASON_SIZE - 3] + "..."
