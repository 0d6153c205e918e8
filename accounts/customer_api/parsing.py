"""Reads JSON from outside, bounded in size and depth, and without what no database takes."""

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import IO, Any, NoReturn

from rest_framework.exceptions import APIException, ParseError
from rest_framework.parsers import BaseParser
from rest_framework.request import Request
from rest_framework.serializers import Serializer

from accounts.texts import is_plain

MAX_BYTES = 1 << 20
MAX_DEPTH = 32  # lists and objects in each other; no request of the API needs ten


class BodyTooLargeError(APIException):
    """A body of more than MAX_BYTES."""

    status_code = 413
    default_detail = f"A request's body has at most {MAX_BYTES} bytes."
    default_code = "too_large"


class StrictJSONParser(BaseParser):
    """Parses JSON as RFC 8259 has it: UTF-8, no NaN, nothing half a character."""

    media_type = "application/json"

    def parse(
        self,
        stream: IO[Any],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> Any:
        """Return what the body says. Raises ParseError, BodyTooLargeError.

        Its depth is bounded well below Python's, since whatever words a value afterwards, as in a
        message of what is wrong with it, may be called from deeper down than this is.
        """
        raw = stream.read(MAX_BYTES + 1)
        if len(raw) > MAX_BYTES:
            raise BodyTooLargeError
        try:
            data = json.loads(raw.decode("utf-8"), parse_constant=_refuse)
        except (ValueError, RecursionError) as error:
            raise ParseError("The body is no JSON, or is nested too deeply.") from error
        if _is_deep(data):
            raise ParseError("The body is no JSON, or is nested too deeply.")
        if not all(map(is_plain, _texts(data))):
            raise ParseError("The body has characters that no text may have.")
        return data


def checked(shape: type[Serializer[Any]], request: Request) -> dict[str, Any]:
    """Return what a request's body says, as `shape` has it. Raises ValidationError.

    Fields that the shape does not name are left out.
    """
    body = shape(data=request.data)
    body.is_valid(raise_exception=True)
    found: dict[str, Any] = body.validated_data
    return found


def _is_deep(data: Any) -> bool:
    """Return whether lists and objects are nested more than MAX_DEPTH times."""
    level = [data]
    for _ in range(MAX_DEPTH):
        level = [one for value in level for one in _inner(value)]
    return any(isinstance(value, list | dict) for value in level)


def _inner(value: Any) -> Iterable[Any]:
    match value:
        case list(items):
            return items
        case dict(fields):
            return fields.values()
    return ()


def _texts(data: Any) -> Iterator[str]:
    """Yield every text in a value, names included."""
    left = [data]
    while left:
        match left.pop():
            case str(text):
                yield text
            case list(items):
                left += items
            case dict(fields):
                yield from fields
                left += fields.values()


def _refuse(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")
