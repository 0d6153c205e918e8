"""Words the audit log in sentences that customers understand."""

from dataclasses import dataclass
from datetime import datetime

from django.db.models import QuerySet

from accounts.access import Seat
from accounts.models import Account, AuditEvent, Membership
from accounts.roles import Right

# `{subject}` and the keys of the event's detail may be used; a verb without a sentence is shown
# by its own words.
STAFF = "the service's staff"
SENTENCES = {
    "account.open": "opened this account",
    "account.freeze": "froze this account: nothing is stored or removed, restores still work",
    "account.unfreeze": "lifted the freeze of this account",
    "account.continent": "chose where new backups live: {continent}",
    "sign-in.new-browser": "signed in with a browser that was new: {browser}",
    "sign-in.address": "changed the e-mail address to sign in with",
    "sign-in.password": "changed the password",
    "sign-in.reset": "set a new password by the link in a mail",
    "sign-in.codes": "made new recovery codes",
    "sign-in.app-add": "added an app as second factor",
    "sign-in.app-remove": "removed the app as second factor",
    "sign-in.passkey-add": "added a passkey",
    "sign-in.passkey-remove": "removed a passkey",
    "mail.choose": "chose what {member} is mailed about",
    "endpoint.add": "added “{name}” to the systems that get notices",
    "endpoint.change": "changed how notices reach “{name}”",
    "endpoint.renew-key": "gave notices to “{name}” a new key",
    "endpoint.remove": "took “{name}” from the systems that get notices",
    "plan.choose": "put this account on the plan “{plan}”",
    "staff.note": "wrote a note for other staff",
    "account.rename": "gave this account the name “{name}”",
    "member.invite": "invited {subject} as {role}",
    "member.uninvite": "took back the invitation of {subject}",
    "member.join": "joined this account as {role}",
    "member.role": "made {subject} {role}, who was {before}",
    "member.remove": "removed the member {subject}",
    "member.erased": "noted that a member deleted their sign-in",
    "member.leave": "left this account",
    "member.offer": "offered this account to {subject}",
    "member.offer-back": "took back the offer of this account to {subject}",
    "member.own": "took over this account; {before} is an admin now",
    "token.create": "made the API token {subject} (“{label}”, scope {scope})",
    "token.revoke": "revoked the API token {subject} (“{label}”)",
    "device.move": "gave the computer “{name}” to {to}",
    "plan.change": "changed the plan from “{before}” to “{plan}”",
    "payment.fail": "noted that a payment did not work",
    "payment.settle": "noted that all is paid again",
    "payment.dispute": "noted that a bank has taken a payment back",
    "payment.twice": "ended a plan that was bought twice, and gave the money back",
    "account.grant": "granted more until {until}: {reason}",
    "account.close": "closed this account ({why}), to be erased after {until}",
    "account.reopen": "opened this account again",
    "account.erase-now": "had this account erased at once: {note}",
    "account.erase": "began to erase this account",
    "account.export": "downloaded all that is kept about this account",
    "deletion.announce": "announced the deletion of what is stored, for {deletion}",
    "device.add": "added the computer “{name}”",
    "device.rename": "gave the computer “{before}” the name “{name}”",
    "device.retire": "retired the computer “{name}”",
    "device.connect": "let “{computer}” into a vault (scope {scope})",
    "device.deny": "refused “{computer}”, which asked to be connected",
    "vault.create": "made the vault “{name}”",
    "vault.rename": "gave the vault “{before}” the name “{name}”",
    "vault.ask-deletion": "asked for the deletion of the vault “{name}”; "
    "it can be kept until {until}",
    "vault.keep": "kept the vault “{name}”, whose deletion was asked for",
    "vault.deleted": "deleted the vault “{name}”: the time to keep it was over",
    "vault.delete": "deleted the vault “{name}”, which was never set up",
    "vault.give-up": "took {count} of what was lost off the list",
    "vault.remove": "removed {snapshots} snapshots, {objects} objects in all",
    "vault.expect": "said how often backups are expected: every {hours} hours (0: as they came)",
    "vault.undelete": "asked for {what} to be brought back ({objects} objects)",
    "vault.undeleted": "brought back {objects} objects, {snapshots} of them snapshots: {what}",
    "vault.accept-removal": "said that the removal of nearly everything was meant",
    "credential.create": "made the credential {subject} (scope {scope})",
    "credential.rename": "calls the credential {subject} “{label}”",
    "credential.replace": "replaced the credential {subject} by {by}; it ends after {hours} hours",
    "credential.open-keys": "let the credential {subject} change keys for a short while",
    "credential.close-keys": "ended the time in which {subject} could change keys",
    "credential.revoke": "revoked the credential {subject}",
    "object.lost": "found that no good copy of {subject} is left; "
    "the next backup sends again what is there",
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
        who=STAFF if by_staff else _who(event),
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
    form = SENTENCES.get(event.verb, event.verb.replace(".", ": ") + " ({subject})")
    try:
        return form.format(**{**event.detail, "subject": event.subject})
    except (KeyError, IndexError):
        return f"{event.verb.replace('.', ': ')} ({event.subject})"


def is_staff(event: AuditEvent, members: set[int]) -> bool:
    """Return whether somebody of staff did it, who is named nowhere. `members`: their users."""
    if event.actor_kind == AuditEvent.Kind.STAFF:
        return True
    return event.actor is not None and event.actor.is_staff and event.actor_id not in members


def _who(event: AuditEvent) -> str:
    called = "" if event.actor_label == event.credential else f" (“{event.actor_label}”)"
    if event.actor_kind == AuditEvent.Kind.CREDENTIAL:
        return f"the credential {event.credential}{called}"
    if event.actor_kind == AuditEvent.Kind.TOKEN:
        return f"the API token {event.credential}{called}"
    return event.actor_label or "somebody who was erased"


def _vault(event: AuditEvent) -> str:
    if event.verb.startswith("vault."):
        return event.subject
    vault = event.detail.get("vault", "")
    return vault if isinstance(vault, str) else ""
