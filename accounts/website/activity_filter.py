"""What the activity page may be narrowed to: who, with what, what about, and when."""

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from django import forms
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db.models import Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext_lazy

from accounts.models import AuditEvent

# The first word of a verb, and what customers call it. A verb with another one is found under
# "everything" only.
SUBJECTS = {
    "": gettext_lazy("Everything"),
    "account": gettext_lazy("This account"),
    "member": gettext_lazy("Members and invitations"),
    "sign-in": gettext_lazy("Signing in"),
    "device": gettext_lazy("Computers"),
    "vault": gettext_lazy("Vaults"),
    "credential": gettext_lazy("Credentials"),
    "object": gettext_lazy("Lost and found objects"),
    "token": gettext_lazy("API tokens"),
    "plan": gettext_lazy("Plan and payment"),
}
ACTORS = {
    "": gettext_lazy("Anybody"),
    AuditEvent.Kind.PERSON: gettext_lazy("People"),
    AuditEvent.Kind.CREDENTIAL: gettext_lazy("Computers and programs"),
    AuditEvent.Kind.TOKEN: gettext_lazy("API tokens"),
    AuditEvent.Kind.STAFF: gettext_lazy("The service’s staff"),  # noqa: RUF001
    AuditEvent.Kind.OPERATOR: gettext_lazy("Operators"),
    AuditEvent.Kind.SERVICE: gettext_lazy("The service itself"),
}


DAY = forms.DateInput({"type": "date"}, "%Y-%m-%d")
DAYS = [MinValueValidator(date(2000, 1, 1)), MaxValueValidator(date(3000, 1, 1))]


@dataclass(frozen=True)
class Asked:
    """What the activity is narrowed to; what is empty narrows nothing.

    `action` is a verb, or the first word of one. `since` is the first moment, `until` the first one
    after the last.
    """

    person: str = ""
    credential: str = ""
    by: str = ""
    action: str = ""
    since: datetime | None = None
    until: datetime | None = None


def narrowed(events: QuerySet[AuditEvent], asked: Asked) -> QuerySet[AuditEvent]:
    """Return those of `events` that are asked for."""
    if asked.person:
        events = events.filter(actor_kind=AuditEvent.Kind.PERSON, actor_label__iexact=asked.person)
    if asked.credential:
        events = events.filter(credential=asked.credential)
    if asked.by:
        events = events.filter(actor_kind=asked.by)
    if asked.action:
        events = events.filter(Q(verb=asked.action) | Q(verb__startswith=f"{asked.action}."))
    if asked.since is not None:
        events = events.filter(at__gte=asked.since)
    if asked.until is not None:
        events = events.filter(at__lt=asked.until)
    return events


class ActivityForm(forms.Form):
    """Narrows the activity of an account. What makes no sense narrows nothing, and is said."""

    person = forms.CharField(
        required=False,
        max_length=254,
        label=gettext_lazy("Person"),
        help_text=gettext_lazy("An e-mail address."),
    )
    credential = forms.CharField(
        required=False,
        max_length=40,
        label=gettext_lazy("Credential or token"),
        help_text=gettext_lazy("The readable part in front of it."),
    )
    by = forms.ChoiceField(
        required=False,
        label=gettext_lazy("Done by"),
        choices=[("", gettext_lazy("Anybody")), *ACTORS.items()],
    )
    about = forms.ChoiceField(
        required=False,
        label=gettext_lazy("About"),
        choices=[("", gettext_lazy("Everything")), *SUBJECTS.items()],
    )
    since = forms.DateField(required=False, label=gettext_lazy("From"), widget=DAY, validators=DAYS)
    until = forms.DateField(
        required=False, label=gettext_lazy("Up to"), widget=DAY, validators=DAYS
    )

    def narrow(self, events: QuerySet[AuditEvent]) -> QuerySet[AuditEvent]:
        """Return those of `events` that the valid fields of the form ask for."""
        self.is_valid()
        data = self.cleaned_data
        since, until = data.get("since"), data.get("until")
        asked = Asked(
            person=data.get("person", ""),
            credential=data.get("credential", ""),
            by=data.get("by", ""),
            action=data.get("about", ""),
            since=_midnight(since) if since else None,
            until=_midnight(until + timedelta(days=1)) if until else None,
        )
        return narrowed(events, asked)

    @property
    def narrows(self) -> bool:
        """Whether anything is left out."""
        return bool(self.is_valid() and any(self.cleaned_data.values()))


def _midnight(day: date) -> datetime:
    """Return when a day began in the zone of whoever looks; where clocks went on, just after."""
    return timezone.make_aware(datetime.combine(day, time.min))
