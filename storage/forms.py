"""What people fill in about devices and credentials."""

from django import forms
from django.forms.boundfield import BoundWidget

from storage.models import Credential

SCOPES = {
    Credential.Scope.BACKUP: "Adds backups and restores them. Cannot remove anything, so a thief "
    "who takes it from the device cannot destroy your history. Right for almost every device.",
    Credential.Scope.RESTORE: "Only reads. Right for a new computer that you restore to, or for "
    "somebody who checks the backups.",
    Credential.Scope.MAINTAIN: "Also removes old snapshots and prunes. What it removes can be "
    "brought back for 30 days. Keep it away from the device that backs up.",
}


class DeviceForm(forms.Form):
    """A computer to add."""

    name = forms.CharField(
        label="Name of the device",
        max_length=100,
        help_text="So that you recognise it, for example “Laptop of Anna”. "
        "Its vault gets the same name.",
        widget=forms.TextInput(attrs={"autocomplete": "off", "autofocus": True}),
    )


class CredentialForm(forms.Form):
    """What a new credential may do."""

    scope = forms.ChoiceField(
        label="What may it do?",
        choices=[(scope.value, scope.label) for scope in SCOPES],
        initial=Credential.Scope.BACKUP,
        widget=forms.RadioSelect,
    )

    def options(self) -> list[tuple["BoundWidget", str]]:
        """Return each choice with the sentence that explains it."""
        return [
            (choice, SCOPES[Credential.Scope(str(choice.data["value"]))])
            for choice in self["scope"].subwidgets
        ]
