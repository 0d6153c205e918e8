"""The two requests by which a program is connected, after RFC 8628.

They answer as OAuth has it, `{"error": "..."}` included, and not with problem documents: programs
that speak RFC 8628 exist already.
"""

from typing import Any

from django.views.decorators.debug import sensitive_variables
from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.parsers import FormParser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.client_address import client_address
from accounts.customer_api.parsing import StrictJSONParser
from accounts.customer_api.schema import NameField
from accounts.texts import is_plain
from storage.device_authorization import grant

GRANT_TYPE = "urn:ietf:params:oauth:grant-type:device_code"
MAX_NAME = 100  # characters


class CodeRequest(serializers.Serializer[Any]):
    """What a program says when it asks for codes."""

    client_id = NameField(max_length=MAX_NAME, help_text="The program's name")
    computer = NameField(
        max_length=MAX_NAME, required=False, help_text="What the computer calls itself"
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Refuse what no database takes."""
        if not all(is_plain(value) for value in attrs.values()):
            raise serializers.ValidationError("no such characters")
        return attrs


class TokenRequest(serializers.Serializer[Any]):
    """What a program says when it comes for its credential."""

    grant_type = serializers.ChoiceField(choices=[GRANT_TYPE])
    device_code = serializers.CharField(max_length=200)
    client_id = serializers.CharField(max_length=MAX_NAME, required=False)


class Codes(serializers.Serializer[Any]):
    """The codes of a new request. Times are in seconds."""

    device_code = serializers.CharField(help_text="For the program alone")
    user_code = serializers.CharField(help_text="To be typed by the owner")
    verification_uri = serializers.CharField()
    verification_uri_complete = serializers.CharField()
    expires_in = serializers.IntegerField()
    interval = serializers.IntegerField(help_text="Between two polls")


class Token(serializers.Serializer[Any]):
    """A new credential of a vault."""

    access_token = serializers.CharField(help_text="The secret")
    token_type = serializers.CharField()
    scope = serializers.CharField()
    username = serializers.CharField()
    repository = serializers.CharField(help_text="The vault's address")
    vault = serializers.CharField(help_text="Its name")
    is_new = serializers.BooleanField(help_text="Whether nobody has set it up yet")


class OAuthError(serializers.Serializer[Any]):
    """An error as OAuth has it."""

    error = serializers.CharField()
    error_description = serializers.CharField(required=False)


class _OAuthView(APIView):
    authentication_classes = ()
    permission_classes = ()
    parser_classes = (FormParser, StrictJSONParser)


class DeviceCodeView(_OAuthView):
    """Ask for a code that the computer's owner confirms on the website."""

    @extend_schema(
        operation_id="device_code",
        summary="Begin to connect a computer",
        tags=["connect"],
        request={"application/x-www-form-urlencoded": CodeRequest},
        responses={200: Codes, 400: OAuthError, 429: OAuthError},
    )
    @sensitive_variables()
    def post(self, request: Request) -> Response:
        """Return the codes, where to confirm, and how often to ask."""
        asked = CodeRequest(data=request.data)
        if not asked.is_valid():
            return _error("invalid_request", _why(asked.errors))
        data = asked.validated_data
        try:
            begun = grant.begin(
                computer=data.get("computer") or "A computer",
                program=data["client_id"],
                address=client_address(request._request),  # noqa: SLF001
            )
        except grant.TooManyRequestsError:
            return _error(
                "slow_down",
                "Too many computers have asked to be connected; try again in an hour.",
                status.HTTP_429_TOO_MANY_REQUESTS,
            )
        return _answer(
            {
                "device_code": begun.device_code,
                "user_code": begun.user_code,
                "verification_uri": grant.verification_url(),
                "verification_uri_complete": grant.verification_url(begun.user_code),
                "expires_in": int(grant.LIFETIME.total_seconds()),
                "interval": begun.request.interval,
            }
        )


class DeviceTokenView(_OAuthView):
    """Come for the credential that the owner has allowed."""

    @extend_schema(
        operation_id="device_token",
        summary="Get the credential that was allowed",
        tags=["connect"],
        request={"application/x-www-form-urlencoded": TokenRequest},
        responses={200: Token, 400: OAuthError},
    )
    @sensitive_variables()
    def post(self, request: Request) -> Response:
        """Return the credential, once, or say what to wait for."""
        asked = TokenRequest(data=request.data)
        if not asked.is_valid():
            kind = "grant_type" in asked.errors and "device_code" not in asked.errors
            return _error(
                "unsupported_grant_type" if kind else "invalid_request", _why(asked.errors)
            )
        try:
            collected = grant.collect(asked.validated_data["device_code"])
        except grant.PollError as error:
            return _error(error.code)
        credential = collected.made.credential
        return _answer(
            {
                "access_token": collected.made.secret,
                "token_type": "basic",
                "scope": credential.scope,
                "username": credential.prefix,
                "repository": collected.vault.url,
                "vault": collected.vault.name,
                "is_new": collected.vault.is_new,
            }
        )


def _answer(content: dict[str, Any], code: int = status.HTTP_200_OK) -> Response:
    return Response(content, status=code, headers={"Cache-Control": "no-store"})


def _error(code: str, text: str = "", answer: int = status.HTTP_400_BAD_REQUEST) -> Response:
    said = {"error_description": text} if text else {}
    return _answer({"error": code, **said}, answer)


def _why(errors: Any) -> str:
    """Return in one line what is wrong with which field."""
    return " ".join(f"{name}: {' '.join(map(str, found))}" for name, found in errors.items())[:300]
