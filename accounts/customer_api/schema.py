"""How the API's OpenAPI document is made: what its parts have in common."""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import (
    OpenApiExample,
    OpenApiParameter,
    OpenApiResponse,
    extend_schema_serializer,
)
from rest_framework import serializers

from accounts.customer_api.paging import DEFAULT, MOST
from accounts.texts import one_line

PAGE = [
    OpenApiParameter("limit", OpenApiTypes.INT, description=f"Rows, 1 to {MOST}; else {DEFAULT}"),
    OpenApiParameter("cursor", OpenApiTypes.STR, description="From `next` of the page before"),
]
IDEMPOTENT = [
    OpenApiParameter(
        "Idempotency-Key",
        OpenApiTypes.STR,
        OpenApiParameter.HEADER,
        description="A name for this request; sent again within a day it is not done again",
    )
]
Shape = serializers.Serializer[Any]
AnyShape = TypeVar("AnyShape", bound=type[Shape])
_examples: dict[type[Shape], Any] = {}
_WHY = {
    400: "Something in the request is not as it has to be",
    401: "No token, or one that opens nothing",
    403: "The token may not do that",
    404: "There is nothing here that the token sees",
    409: "It does not fit what is there",
    422: "The Idempotency-Key was sent with another request before",
    503: "The payment service cannot be asked at this moment; nothing was changed",
}


class NameField(serializers.CharField):
    """What something is called: a text that is made one line."""

    def to_internal_value(self, data: Any) -> str:
        """Return the name. Raises ValidationError where nothing of it can be seen."""
        name = one_line(super().to_internal_value(data))
        if not name and not self.allow_blank:
            self.fail("blank")
        return name


def example(value: Any) -> Callable[[AnyShape], AnyShape]:
    """Show `value` in the document wherever the decorated shape is taken or told."""

    def decorate(shape: AnyShape) -> AnyShape:
        _examples[shape] = value
        shown = OpenApiExample("Example", value=value, status_codes=["200", "201", "202"])
        decorated: AnyShape = extend_schema_serializer(examples=[shown])(shape)
        return decorated

    return decorate


def page_of(shape: type[Shape]) -> type[Shape]:
    """Return the shape of a page of a list; its name is that of the rows' shape, with `Page`."""
    fields = {
        "__doc__": "A page of a list, the newest first.",
        "results": shape(many=True),
        "next": serializers.CharField(
            allow_null=True, help_text="The address of the next page; null on the last one"
        ),
    }
    made = type(shape.__name__.removesuffix("Shape") + "Page", (Shape,), fields)
    return example({"results": [_examples[shape]], "next": None})(made)


class FieldProblem(serializers.Serializer[Any]):
    """What is wrong with one field."""

    field = serializers.CharField(allow_blank=True)
    detail = serializers.CharField()
    code = serializers.CharField()


class Problem(serializers.Serializer[Any]):
    """An error, as RFC 9457 has it."""

    type = serializers.CharField(help_text="An address where the code is explained")
    title = serializers.CharField()
    status = serializers.IntegerField()
    code = serializers.CharField(help_text="For programs")
    detail = serializers.CharField(help_text="For people: what is wrong, and what to do")
    errors = FieldProblem(many=True, required=False)  # type: ignore[assignment]  # a field's name


def errors(*statuses: int) -> Mapping[tuple[int, str], OpenApiResponse]:
    """Return what an operation may answer with besides success; 429 belongs to all of them."""
    described = {status: _WHY[status] for status in statuses}
    described[429] = "Too many requests; `Retry-After` says when to go on"
    return {
        (status, "application/problem+json"): OpenApiResponse(Problem, description=text)
        for status, text in described.items()
    }


class TokenScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """Describes the API token."""

    target_class = "accounts.customer_api.authentication.TokenAuthentication"
    name = "token"

    def get_security_definition(self, auto_schema: AutoSchema) -> dict[str, str]:
        """Return what OpenAPI calls it."""
        return {
            "type": "http",
            "scheme": "bearer",
            "description": (
                "An API token (`nst_...`), made under Settings, API tokens. Scopes: `read` sees, "
                "`write` also changes, `billing` is for plan and payments, `full` is all of that "
                "and what would harm most in wrong hands. Operations that take `full` say so; the "
                "role of whoever made the token bounds each."
            ),
        }
