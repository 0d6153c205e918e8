"""Forms about members, devices' owners, tokens and the profile."""

from typing import Any
from zoneinfo import available_timezones

from django import forms
from django.conf import settings
from django.utils.translation import gettext, gettext_lazy

from accounts.models import ApiToken, Membership
from accounts.name_field import NameField
from accounts.roles import MANAGES, meaning, role_word
from accounts.tokens.tokens import LONGEST_LABEL


def roles_for(role: str) -> list[tuple[str, str]]:
    """Return the roles that somebody in `role` may give, with their meaning."""
    given = [one for one in Membership.Role.values if one in MANAGES[role]]
    return [(one, f"{role_word(one)}: {meaning(one)}") for one in given]


class RoleForm(forms.Form):
    """Another role for a member."""

    role = forms.ChoiceField(label=gettext_lazy("Role"), widget=forms.RadioSelect)

    def __init__(self, *args: Any, by: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["role"] = forms.ChoiceField(
            label=gettext_lazy("Role"), widget=forms.RadioSelect, choices=roles_for(by)
        )


class InviteForm(RoleForm):
    """Somebody to invite."""

    email = forms.EmailField(
        label=gettext_lazy("E-mail address"),
        max_length=254,
        widget=forms.EmailInput({"autocomplete": "off"}),
    )
    field_order = ["email", "role"]


class MoveForm(forms.Form):
    """Whose a device is to be."""

    def __init__(self, *args: Any, members: list[Membership], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        choices = [
            ("", gettext("Nobody in particular")),
            *((str(m.pk), m.user.email) for m in members),
        ]
        self.fields["member"] = forms.ChoiceField(
            label=gettext_lazy("Whose"), choices=choices, required=False
        )


class TokenForm(forms.Form):
    """A token to make."""

    label = NameField(
        label=gettext_lazy("What it is for"),
        max_length=LONGEST_LABEL,
        help_text=gettext_lazy("So that you recognise it, for example “monitoring at home”."),
        widget=forms.TextInput({"autocomplete": "off"}),
    )
    scope = forms.ChoiceField(
        label=gettext_lazy("What it may do"),
        widget=forms.RadioSelect,
        choices=[(one, gettext_lazy(label)) for one, label in ApiToken.Scope.choices],
        initial="read",
    )
    days = forms.TypedChoiceField(
        label=gettext_lazy("How long it is good"),
        coerce=int,
        choices=[
            ("1", gettext_lazy("a day")),
            ("30", gettext_lazy("30 days")),
            ("365", gettext_lazy("365 days")),
            ("0", gettext_lazy("until it is revoked")),
        ],
        initial="365",
    )


class ProfileForm(forms.Form):
    """How somebody wants to be called, in which zone and in which language."""

    name = NameField(
        label=gettext_lazy("Your name"),
        max_length=150,
        required=False,
        help_text=gettext_lazy("Other members of your accounts see it."),
        widget=forms.TextInput({"autocomplete": "name"}),
    )
    time_zone = forms.CharField(
        label=gettext_lazy("Time zone"),
        required=False,
        max_length=64,
        help_text=gettext_lazy("As “Europe/Berlin”. Empty: UTC."),
        widget=forms.TextInput({"list": "zones", "autocomplete": "off"}),
    )

    language = forms.ChoiceField(
        label=gettext_lazy("Language"),
        required=False,
        choices=[("", gettext_lazy("As the browser says; mails in English")), *settings.LANGUAGES],
    )

    def clean_time_zone(self) -> str:
        """Return a zone that there is."""
        zone = str(self.cleaned_data["time_zone"])
        if zone and zone not in available_timezones():
            raise forms.ValidationError(gettext("There is no such zone. Choose one of the list."))
        return zone


class AccountForm(forms.Form):
    """What an account is called."""

    name = NameField(label=gettext_lazy("Name of the account"), max_length=150)
