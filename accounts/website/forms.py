"""allauth's forms in our words: plain labels, no placeholders, one sentence on passwords."""

from typing import TYPE_CHECKING, Any

from allauth.account import forms as allauth
from django.contrib.auth.hashers import make_password
from django.core.validators import MaxLengthValidator
from django.forms import EmailField
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext_lazy

from accounts.models import User

if TYPE_CHECKING:
    from django_stubs_ext import StrOrPromise

LABELS = {
    "login": gettext_lazy("E-mail address"),
    "email": gettext_lazy("E-mail address"),
    "password": gettext_lazy("Password"),
    "oldpassword": gettext_lazy("Your present password"),
    "password1": gettext_lazy("New password"),
    "password2": gettext_lazy("New password, again"),
}
LONGEST = User._meta.get_field("email").max_length or 254
RULE = gettext_lazy("At least 10 characters, and not one that everybody uses.")


class PlainWords:
    """Relabels a form's fields after allauth has built them. Mixed in before an allauth form."""

    labels: dict[str, "StrOrPromise"] = {}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        fields: dict[str, Any] = self.fields  # type: ignore[attr-defined]
        for name, field in fields.items():
            field.label = self.labels.get(name) or LABELS.get(name, field.label)
            field.help_text = RULE if name == "password1" else ""
            field.widget.attrs.pop("placeholder", None)
            if isinstance(field, EmailField):  # its own bound is beyond what a row holds
                field.validators.append(MaxLengthValidator(LONGEST))


class LoginForm(PlainWords, allauth.LoginForm):  # type: ignore[misc]
    """E-mail address and password."""


class SignupForm(PlainWords, allauth.SignupForm):  # type: ignore[misc]
    """E-mail address and a first password."""

    labels = {"password1": gettext_lazy("Password for this website")}

    def try_save(self, request: HttpRequest) -> tuple[User | None, HttpResponse | None]:
        """As allauth; but an address that is taken costs the same time as a new one."""
        if self.account_already_exists:
            make_password(self.cleaned_data["password1"])
        saved: tuple[User | None, HttpResponse | None] = super().try_save(request)
        return saved


class AddEmailForm(PlainWords, allauth.AddEmailForm):  # type: ignore[misc]
    """Another address to sign in with."""

    labels = {"email": gettext_lazy("New e-mail address")}


class ChangePasswordForm(PlainWords, allauth.ChangePasswordForm):  # type: ignore[misc]
    """The present password and a new one."""


class SetPasswordForm(PlainWords, allauth.SetPasswordForm):  # type: ignore[misc]
    """A first password for somebody who has none."""


class ResetPasswordForm(PlainWords, allauth.ResetPasswordForm):  # type: ignore[misc]
    """The address that the reset mail goes to."""


class ResetPasswordKeyForm(PlainWords, allauth.ResetPasswordKeyForm):  # type: ignore[misc]
    """A new password, after following the mail's link."""


class ReauthenticateForm(PlainWords, allauth.ReauthenticateForm):  # type: ignore[misc]
    """The password once more, before something that matters."""
