"""The form that asks what is to be brought back into a vault."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from django import forms
from django.utils.translation import gettext

from storage.models import Credential, Vault
from storage.rewind import history
from storage.rewind.requests import MOST_SNAPSHOTS, Wanted


class UndeleteForm(forms.Form):
    """What is to come back: everything of a moment, chosen snapshots, or one credential's removals.

    A moment without a zone is one of the visitor's.
    """

    what = forms.ChoiceField(
        choices=[("all", "all"), ("snapshots", "snapshots"), ("credential", "credential")]
    )
    to = forms.DateTimeField(required=False)
    credential = forms.CharField(max_length=20, required=False)
    snapshot = forms.MultipleChoiceField(required=False)

    def __init__(self, data: Any, *, vault: Vault, snapshots: Sequence[str]) -> None:
        super().__init__(data)
        self.fields["snapshot"].choices = [(name, name) for name in snapshots]  # type: ignore[attr-defined]
        self.vault = vault

    def clean_to(self) -> datetime | None:
        """Return the moment in UTC. Raises ValidationError for one that UTC has no year for."""
        moment: datetime | None = self.cleaned_data["to"]
        try:
            return moment.astimezone(UTC) if moment else None
        except OverflowError as error:
            raise forms.ValidationError(self.fields["to"].error_messages["invalid"]) from error

    def clean(self) -> dict[str, Any]:
        """Check that what is chosen is filled in."""
        found = super().clean() or self.cleaned_data
        what = found.get("what")
        if what in {"all", "credential"} and not found.get("to") and "to" not in self.errors:
            self.add_error("to", gettext("Say to which moment."))
        if what == "snapshots" and not found.get("snapshot") and "snapshot" not in self.errors:
            self.add_error("snapshot", gettext("Choose at least one snapshot."))
        if what == "snapshots" and len(found.get("snapshot", [])) > MOST_SNAPSHOTS:
            self.add_error(
                "snapshot",
                gettext("Choose at most %(most_snapshots)s at a time.")
                % {"most_snapshots": MOST_SNAPSHOTS},
            )
        if what == "credential" and not self._credentials().exists():
            self.add_error("credential", gettext("This vault has no such credential."))
        return found

    @property
    def moment_text(self) -> str:
        """The moment of a valid form, to the microsecond, to be sent again."""
        moment: datetime | None = self.cleaned_data["to"]
        return moment.isoformat(timespec="microseconds") if moment else ""

    def wanted(self) -> Wanted:
        """Return what a valid form asks for."""
        data, what = self.cleaned_data, self.cleaned_data["what"]
        moment: datetime | None = data["to"]
        return Wanted(
            moment=moment if what != "snapshots" else None,
            snapshots=data["snapshot"] if what == "snapshots" else (),
            credential=data["credential"] if what == "credential" else "",
        )

    @property
    def called(self) -> str:
        """What the chosen credential is called by its owner, or else its user name."""
        return history.called(self._credentials().first())

    def _credentials(self) -> Any:
        prefix = self.cleaned_data.get("credential", "")
        return Credential.objects.filter(vault=self.vault, prefix=prefix)
