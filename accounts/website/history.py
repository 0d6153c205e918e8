"""Words the audit log in sentences that customers understand."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import QuerySet
from django.utils.translation import gettext, gettext_noop, ngettext

from accounts.access import Seat
from accounts.audit import OPERATOR, SERVICE
from accounts.models import Account, AuditEvent, Membership
from accounts.notifications.wording import day_of
from accounts.roles import Right, role_word
from accounts.templatetags.amounts import amount, number
from accounts.templatetags.words import wish_in_words

# `{subject}` and the keys of the event's detail may be used; a verb without a sentence is shown
# by its own words.
STAFF = gettext_noop("the service's staff")
# Details of events that are words of ours.
DAYS = {"until", "deletion"}
OURSELVES = {(one.kind.value, one.label) for one in (OPERATOR, SERVICE)}
OWN_WORDS = {"role", "scope", "why"}
# What staff write beside an act is for staff: members read what was done, and not the words.
STAFFS_OWN = ("reason", "note")
SENTENCES = {
    "account.open": gettext_noop("opened this account"),
    "account.freeze": gettext_noop(
        "froze this account: nothing is stored or removed, restores still work"
    ),
    "account.unfreeze": gettext_noop("lifted the freeze of this account"),
    "account.continent": gettext_noop("chose where new backups live: {continent}"),
    "sign-in.new-browser": gettext_noop("signed in with a browser that was new: {browser}"),
    "sign-in.address": gettext_noop("changed the e-mail address to sign in with"),
    "sign-in.password": gettext_noop("changed the password"),
    "sign-in.reset": gettext_noop("set a new password by the link in a mail"),
    "sign-in.codes": gettext_noop("made new recovery codes"),
    "sign-in.app-add": gettext_noop("added an app as second factor"),
    "sign-in.app-remove": gettext_noop("removed the app as second factor"),
    "sign-in.passkey-add": gettext_noop("added a passkey"),
    "sign-in.passkey-remove": gettext_noop("removed a passkey"),
    "mail.choose": gettext_noop("chose what {member} is mailed about"),
    "endpoint.add": gettext_noop("added “{name}” to the systems that get notices"),
    "endpoint.change": gettext_noop("changed how notices reach “{name}”"),
    "endpoint.renew-key": gettext_noop("gave notices to “{name}” a new key"),
    "endpoint.remove": gettext_noop("took “{name}” from the systems that get notices"),
    "plan.choose": gettext_noop("put this account on the plan “{plan}”"),
    "staff.note": gettext_noop("wrote a note for other staff"),
    "account.rename": gettext_noop("gave this account the name “{name}”"),
    "member.invite": gettext_noop("invited {subject} as {role}"),
    "member.uninvite": gettext_noop("took back the invitation of {subject}"),
    "member.join": gettext_noop("joined this account as {role}"),
    "member.role": gettext_noop("made {subject} {role}, who was {before}"),
    "member.remove": gettext_noop("removed the member {subject}"),
    "member.erased": gettext_noop("noted that a member deleted their sign-in"),
    "member.leave": gettext_noop("left this account"),
    "member.offer": gettext_noop("offered this account to {subject}"),
    "member.offer-back": gettext_noop("took back the offer of this account to {subject}"),
    "member.own": gettext_noop("took over this account; {before} is an admin now"),
    "token.create": gettext_noop("made the API token {subject} (“{label}”, scope {scope})"),
    "token.revoke": gettext_noop("revoked the API token {subject} (“{label}”)"),
    "device.move": gettext_noop("gave the computer “{name}” to {to}"),
    "plan.change": gettext_noop("changed the plan from “{before}” to “{plan}”"),
    "payment.fail": gettext_noop("noted that a payment did not work"),
    "payment.settle": gettext_noop("noted that all is paid again"),
    "payment.dispute": gettext_noop("noted that a bank has taken a payment back"),
    "payment.twice": gettext_noop("ended a plan that was bought twice, and gave the money back"),
    "account.close": gettext_noop("closed this account ({why}), to be erased after {until}"),
    "account.reopen": gettext_noop("opened this account again"),
    "account.erase-now": gettext_noop("had this account erased at once"),
    "account.erase": gettext_noop("began to erase this account"),
    "account.export": gettext_noop("downloaded all that is kept about this account"),
    "deletion.announce": gettext_noop("announced the deletion of what is stored, for {deletion}"),
    "device.add": gettext_noop("added the computer “{name}”"),
    "device.rename": gettext_noop("gave the computer “{before}” the name “{name}”"),
    "device.retire": gettext_noop("retired the computer “{name}”"),
    "device.connect": gettext_noop("let “{computer}” into a vault (scope {scope})"),
    "device.deny": gettext_noop("refused “{computer}”, which asked to be connected"),
    "vault.create": gettext_noop("made the vault “{name}”"),
    "vault.rename": gettext_noop("gave the vault “{before}” the name “{name}”"),
    "vault.ask-deletion": gettext_noop(
        "asked for the deletion of the vault “{name}”; it can be kept until {until}"
    ),
    "vault.keep": gettext_noop("kept the vault “{name}”, whose deletion was asked for"),
    "vault.deleted": gettext_noop("deleted the vault “{name}”: the time to keep it was over"),
    "vault.delete": gettext_noop("deleted the vault “{name}”, which was never set up"),
    "vault.take-over": gettext_noop("made “{computer}” the computer of the vault “{name}”"),
    "vault.give-up": gettext_noop("took {count} of what was lost off the list"),
    "vault.remove": gettext_noop("removed {snapshots} snapshots, {objects} objects in all"),
    "vault.expect": gettext_noop(
        "said how often backups are expected: every {hours} hours (0: as they came)"
    ),
    "vault.undelete": gettext_noop("asked for {what} to be brought back ({objects} objects)"),
    "vault.undeleted": gettext_noop(
        "brought back {what}: {objects} objects, of which {snapshots} are snapshots"
    ),
    "vault.accept-removal": gettext_noop("said that the removal of nearly everything was meant"),
    "credential.create": gettext_noop("made the credential {subject} (scope {scope})"),
    "credential.rename": gettext_noop("calls the credential {subject} “{label}”"),
    "credential.replace": gettext_noop(
        "replaced the credential {subject} by {by}; it ends after {hours} hours"
    ),
    "credential.open-keys": gettext_noop(
        "let the credential {subject} change keys for a short while"
    ),
    "credential.close-keys": gettext_noop("ended the time in which {subject} could change keys"),
    "credential.revoke": gettext_noop("revoked the credential {subject}"),
    "object.lost": gettext_noop(
        "found that no good copy of {subject} is left; the next backup sends again what is there"
    ),
}


@dataclass(frozen=True)
class HistoryEntry:
    """One line of an account's history: who did what, when, from where, and in which vault."""

    id: int
    at: datetime
    who: str
    what: str
    vault: str = ""  # public id
    address: str = ""


def entries(account: Account, events: QuerySet[AuditEvent]) -> list[HistoryEntry]:
    """Return events of `account` as sentences, for its members to read."""
    members = set(Membership.objects.filter(account=account).values_list("user", flat=True))
    return [entry(event, members) for event in events.select_related("actor")]


def entry(event: AuditEvent, members: set[int]) -> HistoryEntry:
    """Return an event as a sentence. Staff are not named, nor where they sit."""
    by_staff = is_staff(event, members)
    return HistoryEntry(
        id=event.pk,
        at=event.at,
        who=gettext(STAFF) if by_staff else _who(event),
        what=sentence(event),
        vault=_vault(event),
        address="" if by_staff else event.address or "",
    )


def events_of(account: Account) -> QuerySet[AuditEvent]:
    """Return what was done in an account, newest first."""
    return AuditEvent.objects.filter(account=account).order_by("-pk")


def events_seen_by(seat: Seat) -> QuerySet[AuditEvent]:
    """Return what was done in an account, or what somebody did themselves who sees no more."""
    events = events_of(seat.account)
    return events if seat.may(Right.SEE_ALL_ACTIVITY) else events.filter(actor=seat.user)


def sentence(event: AuditEvent) -> str:
    """Return what was done, in words."""
    if event.verb == "account.grant":
        return _granted(event.detail)
    form = SENTENCES.get(event.verb)
    said = gettext(form) if form else event.verb.replace(".", ": ") + " ({subject})"
    words = {name: _word(name, value) for name, value in event.detail.items()}
    if event.verb == "member.role" and "before" in words:
        words["before"] = role_word(str(words["before"]))
    if event.verb == "plan.change" and "before" in words:
        words["before"] = _word("plan", words["before"])
    try:
        return said.format(**{**words, "subject": event.subject})
    except (KeyError, IndexError):
        return f"{event.verb.replace('.', ': ')} ({event.subject})"


def without_reasons(detail: dict[str, Any]) -> dict[str, Any]:
    """Return the detail of an act of staff's without what they wrote for each other."""
    return {name: value for name, value in detail.items() if name not in STAFFS_OWN}


def _granted(detail: dict[str, Any]) -> str:
    """Return what staff granted, how much of it and until when."""
    size, days = int(detail.get("quota_bytes") or 0), int(detail.get("grace_days") or 0)
    words = {
        "room": amount(size),
        "days": number(days),
        "until": day_of(str(detail.get("until", ""))),
    }
    if size and days:
        return gettext(
            "granted {room} of extra room and {days} extra days to pay, until {until}"
        ).format(**words)
    if days:
        return ngettext(
            "granted {days} extra day to pay, until {until}",
            "granted {days} extra days to pay, until {until}",
            days,
        ).format(**words)
    return gettext("granted {room} of extra room until {until}").format(**words)


def _word(name: str, value: Any) -> Any:
    """Return a value as it is, or in the reader's language where it is a word of ours."""
    if name in DAYS and isinstance(value, str):
        return day_of(value)
    if name == "what" and isinstance(value, str):
        return wish_in_words(value)
    if name == "plan" and isinstance(value, str):
        return value.capitalize()  # rows have its short name
    return gettext(value) if name in OWN_WORDS and isinstance(value, str) and value else value


def is_staff(event: AuditEvent, members: set[int]) -> bool:
    """Return whether somebody of staff did it, who is named nowhere. `members`: their users."""
    if event.actor_kind == AuditEvent.Kind.STAFF:
        return True
    return event.actor is not None and event.actor.is_staff and event.actor_id not in members


def _who(event: AuditEvent) -> str:
    called = "" if event.actor_label == event.credential else f" (“{event.actor_label}”)"
    if event.actor_kind == AuditEvent.Kind.CREDENTIAL:
        return gettext("the credential %(prefix)s") % {"prefix": event.credential} + called
    if event.actor_kind == AuditEvent.Kind.TOKEN:
        return gettext("the API token %(prefix)s") % {"prefix": event.credential} + called
    if (event.actor_kind, event.actor_label) in OURSELVES:
        return gettext(event.actor_label)
    return event.actor_label or gettext("somebody who was erased")


def _vault(event: AuditEvent) -> str:
    if event.verb.startswith("vault."):
        return event.subject
    vault = event.detail.get("vault", "")
    return vault if isinstance(vault, str) else ""
