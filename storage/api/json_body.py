"""Parses request bodies of the control API: one JSON object of bounded size, fields checked."""

import base64
import binascii
import json
from typing import Any

from django.conf import settings
from django.http import HttpRequest

from accounts.texts import is_plain
from storage.body import HashedBody, IncompleteBodyError, stream_of
from storage.errors import BadRequestError, LengthRequiredError, TooLargeError, TooSlowError
from storage.object_names import InvalidNameError, ObjectName, ObjectType, parse_name

Fields = dict[str, Any]


def read(request: HttpRequest, *, limit: int) -> Fields:
    """Return a request's body of at most `limit` bytes.

    Raises LengthRequiredError, TooLargeError, TooSlowError or BadRequestError.
    """
    announced = request.headers.get("Content-Length", "")
    if not announced.isascii() or not announced.isdigit():
        raise LengthRequiredError("A request must announce its length (Content-Length).")
    if int(announced) > limit:
        raise TooLargeError(f"This request may have {limit} bytes, and {announced} were announced.")
    text = _read_all(request, int(announced))
    try:
        fields = json.loads(text or b"{}")
    except (ValueError, RecursionError) as error:
        raise BadRequestError("The body is not JSON.") from error
    if not isinstance(fields, dict):
        raise BadRequestError("The body must be a JSON object.")
    return fields


def _read_all(request: HttpRequest, size: int) -> bytes:
    socket = request.META.get("gunicorn.socket")
    if socket is not None:
        socket.settimeout(settings.GATEWAY_STALL)
    body = HashedBody(
        stream_of(request), size=size, sha256=None, min_rate=settings.GATEWAY_MIN_RATE
    )
    whole = bytearray()
    try:
        while len(whole) < size:
            whole += body.read(size - len(whole))
    except TooSlowError as error:
        raise TooSlowError("The request came too slowly; send it again.") from error
    except IncompleteBodyError as error:
        raise BadRequestError("The request ended early.") from error
    return bytes(whole)


def entries(fields: Fields, name: str, *, most: int) -> list[Any]:
    """Return a list of at most `most` values; an absent one is empty."""
    found = fields.get(name, [])
    if not isinstance(found, list):
        raise BadRequestError(f"`{name}` must be a list.")
    if len(found) > most:
        raise TooLargeError(f"`{name}` has at most {most} entries, and there are {len(found)}.")
    return found


def text(value: Any, name: str) -> str:
    """Return a value that must be a text of modest length, which a database takes.

    JSON can say what no text has: half of a surrogate pair. And NUL is none for databases.
    """
    if not isinstance(value, str) or len(value) > 200 or not is_plain(value):
        raise BadRequestError(f"`{name}` must be a text.")
    return value


def number(value: Any, name: str) -> int:
    """Return a value that must be a whole number, not negative, of a size that databases hold."""
    if type(value) is not int or not 0 <= value < 2**62:
        raise BadRequestError(f"`{name}` must be a whole number.")
    return value


def part(fields: Fields, name: str) -> Fields | None:
    """Return an object inside the body, or None if it is not there."""
    found = fields.get(name)
    if found is not None and not isinstance(found, dict):
        raise BadRequestError(f"`{name}` must be an object.")
    return found


def object_name(entry: Any) -> ObjectName:
    """Return the object that an entry with `type` and `name` names."""
    if not isinstance(entry, dict):
        raise BadRequestError("Each entry must be an object with `type` and `name`.")
    kind, name = text(entry.get("type"), "type"), text(entry.get("name"), "name")
    try:
        return parse_name(kind, name)
    except InvalidNameError as error:
        raise BadRequestError(str(error)) from error


def named_body(entry: Fields, kind: ObjectType) -> tuple[ObjectName, bytes]:
    """Return the name and the decoded bytes of an object that came in the body."""
    name = object_name({"type": kind, "name": entry.get("name")})
    encoded = entry.get("body")
    if not isinstance(encoded, str):
        raise BadRequestError("`body` must be a text in base64.")
    try:
        return name, base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError) as error:
        raise BadRequestError("`body` is not base64.") from error
