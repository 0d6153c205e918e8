"""What the activity page may be narrowed to: who, with what, what about, and when."""

from datetime import date, datetime, time, timedelta

from django import forms
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db.models import QuerySet
from django.utils import timezone

from accounts.models import AuditEvent

# The first word of a verb, and what customers call it. A verb with another one is found under
# "everything" only.
SUBJECTS = {
    "": "Everything",
    "account": "This account",
    "member": "Members and invitations",
    "sign-in": "Signing in",
    "device": "Computers",
    "vault": "Vaults",
    "credential": "Credentials",
    "object": "Lost and found objects",
    "token": "API tokens",
    "plan": "Plan and payment",
}
ACTORS = {
    "": "Anybody",
    AuditEvent.Kind.PERSON: "People",
    AuditEvent.Kind.CREDENTIAL: "Computers and programs",
    AuditEvent.Kind.TOKEN: "API tokens",
    AuditEvent.Kind.STAFF: "The service’s staff",  # noqa: RUF001
    AuditEvent.Kind.OPERATOR: "Operators",
    AuditEvent.Kind.SERVICE: "The service itself",
}


DAY = forms.DateInput({"type": "date"}, "%Y-%m-%d")
DAYS = [MinValueValidator(date(2000, 1, 1)), MaxValueValidator(date(3000, 1, 1))]


class ActivityForm(forms.Form):
    """Narrows the activity of an account. What makes no sense narrows nothing, and is said."""

    person = forms.CharField(
        required=False, max_length=254, label="Person", help_text="An e-mail address."
    )
    credential = forms.CharField(
        required=False,
        max_length=40,
        label="Credential or token",
        help_text="The readable part in front of it.",
    )
    by = forms.ChoiceField(
        required=False, label="Done by", choices=[("", "Anybody"), *ACTORS.items()]
    )
    about = forms.ChoiceField(
        required=False, label="About", choices=[("", "Everything"), *SUBJECTS.items()]
    )
    since = forms.DateField(required=False, label="From", widget=DAY, validators=DAYS)
    until = forms.DateField(required=False, label="Up to", widget=DAY, validators=DAYS)

    def narrow(self, events: QuerySet[AuditEvent]) -> QuerySet[AuditEvent]:
        """Return those of `events` that the valid fields of the form ask for."""
        self.is_valid()
        asked = {name: value for name, value in self.cleaned_data.items() if value}
        if "person" in asked:
            events = events.filter(
                actor_kind=AuditEvent.Kind.PERSON, actor_label__iexact=asked["person"]
            )
        if "credential" in asked:
            events = events.filter(credential=asked["credential"])
        if "by" in asked:
            events = events.filter(actor_kind=asked["by"])
        if "about" in asked:
            events = events.filter(verb__startswith=f"{asked['about']}.")
        if "since" in asked:
            events = events.filter(at__gte=_midnight(asked["since"]))
        if "until" in asked:
            events = events.filter(at__lt=_midnight(asked["until"] + timedelta(days=1)))
        return events

    @property
    def narrows(self) -> bool:
        """Whether anything is left out."""
        return bool(self.is_valid() and any(self.cleaned_data.values()))


def _midnight(day: date) -> datetime:
    """Return when a day began in the zone of whoever looks; where clocks went on, just after."""
    return timezone.make_aware(datetime.combine(day, time.min))
