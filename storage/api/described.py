"""Describes the agents' control API for the OpenAPI document; `docs/protocol.md` says it in prose.

These operations answer at the gateway, with a vault's credential instead of an API token.
"""

from collections.abc import Mapping
from typing import Any

from django.conf import settings

from storage.api.control import BATCH_BODY, BEGIN_BODY, FINISH_BODY, REPORT_BODY
from storage.events.runs import FAILURES
from storage.object_names import KIB, ObjectType
from storage.objects.batch import MAX_OBJECTS, ItemStatus

TAG = "Agent"
SCHEME = "credential"
SECURITY = {
    SCHEME: {
        "type": "http",
        "scheme": "basic",
        "description": "A vault's credential: its user name and secret.",
    }
}

Json = dict[str, Any]
_TEXT: Json = {"type": "string"}
_NUMBER: Json = {"type": "integer", "minimum": 0}
_TYPE: Json = {"type": "string", "enum": [kind.value for kind in ObjectType]}
_NAME = {"type": "string", "description": "64 hexadecimal digits; of the config, `config`"}
_BODY = {"type": "string", "contentEncoding": "base64"}
_REFUSALS = {
    400: "No JSON, a name that is none, or bytes without their hash",
    401: "No, wrong or revoked credential",
    403: "The scope, the vault's or the account's state does not allow it",
    404: "Another vault",
    408: "The request stalled",
    411: "No length",
    413: "A body, batch or object beyond its bound",
    503: "Busy; try again after `Retry-After`",
}
_WHERE = "It answers at the gateway, and wants a vault's credential."
_STALE = {409: "The vault was pruned since this run began: begin again"}
_FULL = {507: "The plan's quota is used up"}


def _object(required: tuple[str, ...] = (), **properties: Json) -> Json:
    return {"type": "object", "properties": properties, "required": list(required)}


def _list(items: Json, most: int | None = None) -> Json:
    return {"type": "array", "items": items} | ({} if most is None else {"maxItems": most})


def _or_null(kind: Json) -> Json:
    return {"anyOf": [kind, {"type": "null"}]}


def _ref(name: str) -> Json:
    return {"$ref": f"#/components/schemas/{name}"}


_NAMED = _object(("name", "body"), name=_NAME, body=_BODY)
_LISTING = _object(
    ("complete", "since", "objects"),
    complete={"type": "boolean", "description": "False: too many; list them by the data protocol"},
    since=_or_null(_NUMBER),
    objects=_list(_object(("name", "size"), name=_NAME, size=_NUMBER)),
)
_OBJECT = _object(("type", "name"), type=_TYPE, name=_NAME)
_SIZED = _object(("type", "name", "size"), type=_TYPE, name=_NAME, size=_NUMBER)
_WITH_BODY = _object(("type", "name", "body"), type=_TYPE, name=_NAME, body=_BODY)

SHAPES: dict[str, Json] = {
    "AgentRefusal": _object(("code", "message"), code=_TEXT, message=_TEXT),
    "AgentItem": _object(
        ("status",),
        status={"type": "string", "enum": [status.value for status in ItemStatus]},
        code=_TEXT,
        message=_TEXT,
        attempt=_TEXT,
        size=_NUMBER,
        method=_TEXT,
        url=_TEXT,
        headers={"type": "object", "additionalProperties": _TEXT},
        until={"type": "string", "format": "date-time"},
    ),
    "AgentBegin": _object(
        lock=_or_null(_NAMED),
        since=_or_null(_object(("epoch", "sequence"), epoch=_NUMBER, sequence=_NUMBER)),
    ),
    "AgentBegun": _object(
        ("epoch", "sequence", "locks", "keys", "snapshots", "index", "wanted", "direct", "bodies"),
        epoch=_NUMBER,
        sequence=_NUMBER,
        locks=_list(_NAMED),
        keys=_LISTING,
        snapshots=_LISTING,
        index=_LISTING,
        wanted=_list(_SIZED),
        direct=_object(
            ("uploads", "objects", "bytes"),
            uploads={"type": "boolean"},
            objects=_NUMBER,
            bytes=_NUMBER,
        ),
        bodies=_list(_WITH_BODY),
    ),
    "AgentUploads": _object(
        give_up=_list(_TEXT, MAX_OBJECTS),
        commit=_list(_TEXT, MAX_OBJECTS),
        objects=_list(_SIZED, MAX_OBJECTS),
    ),
    "AgentUploaded": _object(
        ("committed", "objects"),
        committed=_list(_ref("AgentItem")),
        objects=_list(_ref("AgentItem")),
    ),
    "AgentFinish": _object(
        commit=_list(_TEXT, MAX_OBJECTS),
        snapshot=_or_null(_NAMED),
        lock=_or_null(_NAME),
        unread=_or_null(_NUMBER),
    ),
    "AgentFinished": _object(
        ("committed", "finished"),
        committed=_list(_ref("AgentItem")),
        finished={"type": "boolean"},
    ),
    "AgentReport": _object(("failed",), failed={"type": "string", "enum": sorted(FAILURES)}),
    "AgentReported": _object(),
    "AgentDownloads": _object(objects=_list(_OBJECT, MAX_OBJECTS)),
    "AgentDownloaded": _object(("objects",), objects=_list(_ref("AgentItem"))),
}
_PACK = {"type": ObjectType.DATA.value, "name": "9f86d081884c7d659a2feaa0c55ad015" * 2}


def paths() -> dict[str, Json]:
    """Return the operations by path, as OpenAPI has them."""
    return {
        f"/api/v1/vaults/{{vault_id}}/{name}": {
            "servers": [{"url": settings.GATEWAY_URL, "description": "The gateway"}],
            "post": operation,
        }
        for name, operation in _OPERATIONS.items()
    }


def _operation(
    name: str,
    *,
    summary: str,
    text: str,
    bound: int,
    takes: str,
    gives: str,
    asked: Mapping[str, Any],
    answered: Mapping[str, Any],
    more: Mapping[int, str],
) -> Json:
    refusals = {
        str(status): {"description": why, "content": _content("AgentRefusal")}
        for status, why in sorted((_REFUSALS | dict(more)).items())
    }
    return {
        "operationId": f"agent_{name}",
        "summary": summary,
        "description": f"{text} {_WHERE} The body has at most {bound // KIB} KiB.",
        "tags": [TAG],
        "security": [{SCHEME: []}],
        "parameters": [
            {"name": "vault_id", "in": "path", "required": True, "schema": {"type": "string"}}
        ],
        "requestBody": {"required": True, "content": _content(takes, asked)},
        "responses": {
            "200": {"description": "", "content": _content(gives, answered)},
            **refusals,
        },
    }


def _content(shape: str, example: Mapping[str, Any] | None = None) -> Json:
    shown = {} if example is None else {"examples": {"Example": {"value": example}}}
    return {"application/json": {"schema": _ref(shape), **shown}}


_NOTHING: Json = {"complete": True, "since": None, "objects": []}
_OPERATIONS: dict[str, Json] = {
    "begin": _operation(
        "begin",
        summary="Begin a backup",
        text="Puts the run's lock, and tells all that a backup wants to know.",
        bound=BEGIN_BODY,
        takes="AgentBegin",
        gives="AgentBegun",
        asked={"since": {"epoch": 0, "sequence": 0}},
        answered={
            "epoch": 0,
            "sequence": 0,
            "locks": [],
            "keys": _NOTHING,
            "snapshots": _NOTHING,
            "index": _NOTHING,
            "wanted": [],
            "direct": {"uploads": False, "objects": MAX_OBJECTS, "bytes": 1 << 30},
            "bodies": [],
        },
        more={},
    ),
    "uploads": _operation(
        "uploads",
        summary="Commit uploads, give up others, announce the next",
        text="Each object is answered with where its bytes are to be sent, if anywhere.",
        bound=BATCH_BODY,
        takes="AgentUploads",
        gives="AgentUploaded",
        asked={"objects": [_PACK | {"size": 4_000_000}]},
        answered={"committed": [], "objects": [{"status": "gateway"}]},
        more=_FULL,
    ),
    "finish": _operation(
        "finish",
        summary="Finish a backup",
        text="Commits the last uploads, stores the snapshot, and removes the run's lock.",
        bound=FINISH_BODY,
        takes="AgentFinish",
        gives="AgentFinished",
        asked={"commit": []},
        answered={"committed": [], "finished": True},
        more=_STALE | _FULL,
    ),
    "downloads": _operation(
        "downloads",
        summary="Ask where objects are read from",
        text="Each object is answered with an address in its region's store, or `gateway`.",
        bound=BATCH_BODY,
        takes="AgentDownloads",
        gives="AgentDownloaded",
        asked={"objects": [_PACK]},
        answered={"objects": [{"status": "unknown"}]},
        more={},
    ),
    "report": _operation(
        "report",
        summary="Report a backup that did not come to its end",
        text="Says why; no text of the program's own is taken, since it could name a file.",
        bound=REPORT_BODY,
        takes="AgentReport",
        gives="AgentReported",
        asked={"failed": "interrupted"},
        answered={},
        more={},
    ),
}
