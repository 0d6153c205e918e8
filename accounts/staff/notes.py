"""Writes down what staff want each other to know about an account."""

from django.db import transaction

from accounts import audit
from accounts.audit import Actor
from accounts.models import Account, StaffNote

ERASED = Account.State.ERASED
LONGEST = 2000  # characters


class NoteError(ValueError):
    """A note that cannot be kept; the text says why."""


@transaction.atomic
def add_note(account: Account, *, text: str, actor: Actor) -> StaffNote:
    """Keep a note about an account, for good. Raises NoteError.

    The audit log says that there is one, and not what it says.
    """
    text = text.strip()
    if Account.objects.select_for_update(no_key=True).get(pk=account.pk).state == ERASED:
        raise NoteError("This account is erased, and nothing is noted of it any more.")
    if not 0 < len(text) <= LONGEST:
        raise NoteError(f"Write a note of at most {LONGEST} characters.")
    note = StaffNote.objects.create(
        account=account, text=text, author=actor.user, author_label=actor.label
    )
    audit.record(actor, "staff.note", account.public_id, account=account, note=note.pk)
    return note
