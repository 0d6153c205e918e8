"""The agents' control API, for what restic's protocol lacks.

Every request is a POST of one JSON object to `/api/v1/vaults/<vault>/…`, under the same
credential as the data protocol. Refusals are JSON too: `code` for programs, `message` for people.
"""

import logging
from collections.abc import Callable
from functools import wraps
from http import HTTPStatus
from typing import Any

from django.db import OperationalError
from django.http import HttpRequest, HttpResponse, HttpResponseBase

from storage.api import json_answer, json_body, session
from storage.api.discard_body import discard, hang_up
from storage.api.json_body import Fields
from storage.api.refused import Call
from storage.api.upload_limiter import Admission, staying
from storage.downloads import presigned as signed_reads
from storage.errors import BusyError, RefusedError
from storage.events import runs
from storage.events.refusals import refusals
from storage.object_names import KIB, ObjectType
from storage.objects.batch import MAX_OBJECTS, ItemResult
from storage.uploads import presigned
from storage.uploads.presigned import Announcement
from storage.vaults.access import Access, open_vault

log = logging.getLogger(__name__)
BATCH_BODY = 128 * KIB
BEGIN_BODY = 128 * KIB
FINISH_BODY = 1024 * KIB
REPORT_BODY = 4 * KIB

Answer = dict[str, Any]
View = Callable[[Call, Access, Fields], Answer]


def called(*, limit: int) -> Callable[[View], Callable[..., HttpResponseBase]]:
    """Make a view from a function, for request bodies of up to `limit` bytes."""

    def made(function: View) -> Callable[..., HttpResponseBase]:
        @wraps(function)
        def view(request: HttpRequest, vault: str) -> HttpResponseBase:
            response = staying(lambda stay: answer(Call(request, vault), stay))
            refusals.flush()
            return response

        def answer(call: Call, stay: Admission) -> HttpResponseBase:
            request = call.request
            try:
                call.access = access = open_vault(
                    request.headers.get("Authorization"), call.vault_id
                )
                stay.begin(access.vault.account_id)
                if request.method != "POST":
                    return _not_allowed(request)
                fields = json_body.read(request, limit=limit)
                return _json(function(call, access, fields))
            except RefusedError as refusal:
                response = _refuse(request, refusal)
                call.note(refusal, refusal.status)
                return response
            except OperationalError:  # which would not take a note of it either
                log.exception("the database did not take it")
                return _refuse(request, BusyError("The service is busy; send it again."))
            except Exception:
                call.note_failure()
                raise

        view.csrf_exempt = True  # type: ignore[attr-defined]
        return view

    return made


@called(limit=BEGIN_BODY)
def begin_view(call: Call, access: Access, fields: Fields) -> Answer:
    """Begin a backup: put its lock, and return all that it needs to know."""
    lock = json_body.part(fields, "lock")
    named = json_body.named_body(lock, ObjectType.LOCK) if lock else None
    return session.begin(access, lock=named, since=_since(json_body.part(fields, "since")))


@called(limit=FINISH_BODY)
def finish_view(call: Call, access: Access, fields: Fields) -> Answer:
    """Finish a backup: commit what is left, store the snapshot, and remove the lock."""
    snapshot, lock = json_body.part(fields, "snapshot"), fields.get("lock")
    unread = fields.get("unread")
    results, is_done = session.finish(
        access,
        attempts=_ids(fields, "commit"),
        snapshot=json_body.named_body(snapshot, ObjectType.SNAPSHOT) if snapshot else None,
        lock=json_body.object_name({"type": "locks", "name": lock}) if lock else None,
        unread=None if unread is None else json_body.number(unread, "unread"),
    )
    call.note_items(results)
    return {"committed": [_item(one) for one in results], "finished": is_done}


@called(limit=REPORT_BODY)
def report_view(call: Call, access: Access, fields: Fields) -> Answer:
    """Take an agent's report of a backup that did not come to its end."""
    runs.failed(access, json_body.text(fields.get("failed"), "failed"))
    return {}


@called(limit=BATCH_BODY)
def uploads_view(call: Call, access: Access, fields: Fields) -> Answer:
    """Commit uploads that arrived, give up others, and announce the next, all in one request."""
    ids = _ids(fields, "commit")
    given_up = _ids(fields, "give_up")
    items = [
        Announcement(json_body.object_name(entry), json_body.number(entry.get("size"), "size"))
        for entry in json_body.entries(fields, "objects", most=MAX_OBJECTS)
    ]
    access.require_read()
    if given_up:
        presigned.give_up(access, given_up)
    committed = presigned.commit(access, ids) if ids else []
    offered = presigned.announce(access, items) if items else []
    call.note_items([*committed, *offered])
    return {
        "committed": [_item(one) for one in committed],
        "objects": [_item(one) for one in offered],
    }


@called(limit=BATCH_BODY)
def downloads_view(call: Call, access: Access, fields: Fields) -> Answer:
    """Offer presigned GETs of live objects."""
    listed = json_body.entries(fields, "objects", most=MAX_OBJECTS)
    names = [json_body.object_name(entry) for entry in listed]
    return {"objects": [_item(one) for one in signed_reads.offer(access, names)]}


def _since(fields: Fields | None) -> session.Since | None:
    if fields is None:
        return None
    epoch = json_body.number(fields.get("epoch"), "epoch")
    return session.Since(epoch, json_body.number(fields.get("sequence"), "sequence"))


def _ids(fields: Fields, name: str) -> list[str]:
    return [json_body.text(one, name) for one in json_body.entries(fields, name, most=MAX_OBJECTS)]


def _item(result: ItemResult) -> Answer:
    answer: Answer = {"status": result.status.value}
    if result.code:
        answer["code"] = result.code
    if result.message:
        answer["message"] = result.message
    if result.attempt:
        answer["attempt"] = result.attempt
    if result.size is not None:
        answer["size"] = result.size
    if result.request is not None:
        request = result.request
        answer |= {"method": request.method, "url": request.url, "headers": request.headers}
    if result.until is not None:
        answer["until"] = result.until.isoformat()
    return answer


def _json(answer: Answer, status: int = HTTPStatus.OK) -> HttpResponse:
    text = json_answer.dumps(answer)
    response = HttpResponse(text, status=status, content_type="application/json")
    response["Content-Length"] = str(len(response.content))
    response["Cache-Control"] = "no-store"
    return response


def _refuse(request: HttpRequest, refusal: RefusedError) -> HttpResponse:
    (hang_up if refusal.hangs_up else discard)(request)
    response = _json({"code": refusal.code, "message": str(refusal)}, refusal.status)
    if refusal.status == HTTPStatus.UNAUTHORIZED:
        response["WWW-Authenticate"] = 'Basic realm="Nightsafe vault", charset="UTF-8"'
    if refusal.retry_after is not None:
        response["Retry-After"] = str(refusal.retry_after)
    return response


def _not_allowed(request: HttpRequest) -> HttpResponse:
    discard(request)
    answer = {"code": "method", "message": "Every request of this interface is a POST."}
    response = _json(answer, HTTPStatus.METHOD_NOT_ALLOWED)
    response["Allow"] = "POST"
    return response
