"""Forms about devices and credentials."""

from collections.abc import Sequence
from datetime import timedelta

from django import forms
from django.forms.boundfield import BoundWidget
from django.http import QueryDict
from django.utils.translation import gettext, gettext_lazy

from accounts.continents import Continent
from accounts.name_field import NameField
from storage.models import Credential

SCOPES = {
    Credential.Scope.BACKUP: gettext_lazy(
        "Adds backups and restores them. Cannot remove anything, so a thief "
        "who takes it from the computer cannot destroy your history. Right for almost every one."
    ),
    Credential.Scope.RESTORE: gettext_lazy(
        "Only reads. Right for a new computer that you restore to, or for "
        "somebody who checks the backups."
    ),
    Credential.Scope.MAINTAIN: gettext_lazy(
        "Also removes old snapshots and prunes. What it removes is "
        "kept for 30 days, and the vault's page brings it back. It may go a little beyond a full "
        "plan, which a prune needs. Keep it away from the computer that backs up."
    ),
}


NO_WISH = gettext_lazy("No wish: wherever it suits best")


def continent_field(continents: Sequence[str], *, initial: str) -> forms.ChoiceField:
    """Return the choice between continents, or none."""
    return forms.ChoiceField(
        label=gettext("Where are your backups to live?"),
        choices=[*((c, gettext(Continent(c).label)) for c in continents), ("", NO_WISH)],
        initial=initial,
        required=False,
        help_text=gettext(
            "New backups go there first, and so do their further copies as far as there "
            "are other places on that continent. You can change it later; what is stored stays "
            "where it is."
        ),
    )


class DeviceForm(forms.Form):
    """A computer to add."""

    name = NameField(
        label=gettext_lazy("Name of the computer"),
        max_length=100,
        help_text=gettext_lazy(
            "So that you recognise it, for example “Laptop of Anna”. Its vault gets the same name."
        ),
        widget=forms.TextInput(attrs={"autocomplete": "off", "autofocus": True}),
    )

    def __init__(self, data: QueryDict | None = None, *, continents: Sequence[str] = ()) -> None:
        """`continents` are to choose from with the first device; the first one is the default."""
        super().__init__(data)
        if continents:
            self.fields["continent"] = continent_field(continents, initial=continents[0])


class DeviceNameForm(forms.Form):
    """What a computer is called."""

    name = NameField(
        label=gettext_lazy("Name of the computer"),
        max_length=100,
        help_text=gettext_lazy(
            "Its vaults keep their names, which are changed on their own pages."
        ),
        widget=forms.TextInput(attrs={"autocomplete": "off", "autofocus": True}),
    )

    def __init__(self, data: QueryDict | None = None, *, now: str) -> None:
        super().__init__(data, initial={"name": now})


class VaultForm(forms.Form):
    """What a vault is called."""

    name = NameField(
        label=gettext_lazy("Name of the vault"),
        max_length=100,
        help_text=gettext_lazy("Its address and everything in it stay as they are."),
        widget=forms.TextInput(attrs={"autocomplete": "off", "autofocus": True}),
    )

    def __init__(self, data: QueryDict | None = None, *, now: str) -> None:
        super().__init__(data, initial={"name": now})


class DeletionForm(forms.Form):
    """The name of a vault with backups, typed by whoever wants it deleted."""

    name = NameField(
        label=gettext_lazy("Type the vault's name"),
        max_length=100,
        strip=False,
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )

    def __init__(self, data: QueryDict | None = None, *, wanted: str) -> None:
        super().__init__(data)
        self._wanted = wanted

    def clean_name(self) -> str:
        """Refuse another name."""
        name: str = self.cleaned_data["name"]
        if name.strip() != self._wanted.strip():
            raise forms.ValidationError(gettext("That is not the name of this vault."))
        return name


class ContinentForm(forms.Form):
    """Where an account's new backups are to live."""

    def __init__(
        self, data: QueryDict | None = None, *, continents: Sequence[str], now: str
    ) -> None:
        super().__init__(data)
        on_offer = [*continents, *({now} - {"", *continents})]
        self.fields["continent"] = continent_field(on_offer, initial=now)


class LabelForm(forms.Form):
    """What a credential is called."""

    label = NameField(
        label=gettext_lazy("What do you call it?"),
        max_length=100,
        required=False,
        help_text=gettext_lazy("So that you recognise it, for example “Server room, restic”."),
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )

    def __init__(self, data: QueryDict | None = None, *, now: str = "") -> None:
        super().__init__(data, initial={"label": now})


class CredentialForm(LabelForm):
    """What a new credential is called, and what it may do."""

    scope = forms.ChoiceField(
        label=gettext_lazy("What may it do?"),
        choices=[(scope.value, gettext_lazy(scope.label)) for scope in SCOPES],
        initial=Credential.Scope.BACKUP,
        widget=forms.RadioSelect,
    )

    def options(self) -> list[tuple["BoundWidget", str]]:
        """Return each choice with the sentence that explains it."""
        return [
            (choice, str(SCOPES[Credential.Scope(str(choice.data["value"]))]))
            for choice in self["scope"].subwidgets
        ]


class RotationForm(forms.Form):
    """When a credential that is replaced ends."""

    hours = forms.TypedChoiceField(
        label=gettext_lazy("When does the old one end?"),
        choices=[
            (24, gettext_lazy("In a day")),
            (168, gettext_lazy("In a week")),
            (1, gettext_lazy("In an hour")),
            (0, gettext_lazy("At once: somebody may have it")),
        ],
        coerce=int,
        initial=24,
        widget=forms.RadioSelect,
    )


class IntervalForm(forms.Form):
    """How often backups of a vault are expected."""

    hours = forms.TypedChoiceField(
        label=gettext_lazy("How often is a backup to come?"),
        choices=[
            (0, gettext_lazy("As often as they have come so far")),
            (1, gettext_lazy("Every hour")),
            (6, gettext_lazy("Every six hours")),
            (12, gettext_lazy("Every twelve hours")),
            (24, gettext_lazy("Every day")),
            (48, gettext_lazy("Every two days")),
            (168, gettext_lazy("Every week")),
            (744, gettext_lazy("Every month")),
        ],
        coerce=int,
        help_text=gettext_lazy(
            "When none has come for that time and as long again (three days at most), the "
            "vault is shown as late."
        ),
    )

    def __init__(self, data: QueryDict | None = None, *, now: int) -> None:
        super().__init__(data, initial={"hours": now})

    def interval(self) -> timedelta | None:
        """Return what a valid form says; None for as they have come."""
        hours: int = self.cleaned_data["hours"]
        return timedelta(hours=hours) if hours else None
