"""allauth's forms for passkeys, which take nothing but what a browser sends from our own pages."""

import json
from collections.abc import Callable
from typing import Any

from allauth.mfa.adapter import get_adapter
from allauth.mfa.webauthn import forms as allauth
from allauth.mfa.webauthn.internal import auth
from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy

from accounts.name_field import NameField
from accounts.texts import is_plain
from accounts.website.sign_in.relying_party import relying_party

LONGEST = 32 * 1024  # characters of a credential; browsers send about 2,000
LONGEST_NAME = 100
LONGEST_HANDLE = 16  # characters of a user handle, which is our own short number


class CredentialField(forms.JSONField):
    """What a browser answers: one bounded JSON object, made on our own pages.

    `parse` is what reads it; it comes from allauth and is not written for hostile bytes.
    """

    def __init__(self, parse: Callable[[Any], Any]) -> None:
        super().__init__(required=True, widget=forms.HiddenInput)
        self._parse = parse

    def to_python(self, value: Any) -> Any:
        """Return the object. Raises ValidationError for everything else."""
        if not isinstance(value, str) or len(value) > LONGEST:
            raise _refused()
        try:
            found = super().to_python(value)
            is_storable = _is_storable(found)
            parsed = self._parse(found)
            made_at = parsed.response.client_data.origin
        except Exception as error:  # whatever a parser makes of bytes that nobody's browser sent
            raise _refused() from error
        if not is_storable or made_at != relying_party().origin:
            raise _refused()
        if len(str(found["response"].get("userHandle") or "")) > LONGEST_HANDLE:
            raise _refused()
        return found

    def bound_data(self, data: Any, initial: Any) -> Any:
        """Return nothing: an answer serves once, so a form never shows it again."""
        return None

    def prepare_value(self, value: Any) -> str:
        """Return what stands in the page: nothing, for a script to fill in."""
        return ""


class AddPasskeyForm(allauth.AddWebAuthnForm):  # type: ignore[misc]
    """A passkey to sign in with, or a key as second factor only."""

    name = NameField(
        label=gettext_lazy("Name"),
        required=False,
        max_length=LONGEST_NAME,
        help_text=gettext_lazy("So that you know it again, such as “phone” or “blue key”."),
    )
    credential = CredentialField(auth.parse_registration_response)
    passwordless = forms.BooleanField(
        label=gettext_lazy("Sign in with it alone, without the password"),
        required=False,
        initial=True,
        help_text=gettext_lazy(
            "It then asks for your finger, face or PIN. An old key may not be able to."
        ),
    )


class RenamePasskeyForm(allauth.EditWebAuthnForm):  # type: ignore[misc]
    """Another name for a passkey."""

    name = NameField(label=gettext_lazy("Name"), max_length=LONGEST_NAME)


class SignInByPasskeyForm(allauth.LoginWebAuthnForm):  # type: ignore[misc]
    """A passkey instead of address and password."""

    credential = CredentialField(auth.parse_authentication_response)


class SecondPasskeyForm(allauth.AuthenticateWebAuthnForm):  # type: ignore[misc]
    """A passkey after the password."""

    credential = CredentialField(auth.parse_authentication_response)


class ReauthenticateByPasskeyForm(allauth.ReauthenticateWebAuthnForm):  # type: ignore[misc]
    """A passkey once more, before something that matters."""

    credential = CredentialField(auth.parse_authentication_response)


def _is_storable(found: Any) -> bool:
    text = json.dumps(found, ensure_ascii=False)
    return is_plain(text) and "\\u0000" not in text  # which JSON spells out


def _refused() -> ValidationError:
    refused: ValidationError = get_adapter().validation_error("incorrect_code")
    return refused
