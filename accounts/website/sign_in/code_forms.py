"""allauth's forms for codes, in our words."""

from typing import Any

from allauth.mfa.base import forms as base
from allauth.mfa.totp import forms as totp
from django.utils.translation import gettext_lazy

LABEL = gettext_lazy("Code")
HELP = gettext_lazy("Six digits from your app, or one of your recovery codes.")


class _PlainCode:
    """Relabels the code after allauth has built the form. Mixed in before a form."""

    help_text = HELP

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field: Any = self.fields["code"]  # type: ignore[attr-defined]
        field.label, field.help_text, field.max_length = LABEL, self.help_text, 32
        field.widget.attrs.pop("placeholder", None)
        field.widget.attrs |= {"inputmode": "numeric", "autofocus": True, "maxlength": 32}


class SecondCodeForm(_PlainCode, base.AuthenticateForm):  # type: ignore[misc]
    """A code after the password."""


class ReauthenticateByCodeForm(_PlainCode, base.ReauthenticateForm):  # type: ignore[misc]
    """A code once more, before something that matters."""


class AddAppForm(_PlainCode, totp.ActivateTOTPForm):  # type: ignore[misc]
    """The first code of an app, which proves that it has the secret."""

    help_text = gettext_lazy("Six digits that the app shows now.")
