"""Every table with something of a customer's is in the export, or is left out for a reason."""

import pytest
from django.apps import apps
from django.db.models import Model

from accounts.actions import freeze_account, open_account
from accounts.audit import OPERATOR, Actor
from accounts.models import Account, User
from accounts.staff.notes import add_note
from billing.grants import grant
from storage.leaving.export import sections

pytestmark = pytest.mark.django_db
# What is told of in another section, or says nothing of anybody.
LEFT_OUT = {
    "accounts.IdempotentRequest": "requests of a day, repeated in the activity",
    "storage.Attempt": "uploads, by number",
    "storage.EndedLock": "of an hour, by number",
    "storage.FailureNotice": "when a notice was told, which is among the notices",
    "storage.JournalEntry": "removals, by number; what was removed is among the events",
    "storage.LateNotice": "when a notice was told, which is among the notices",
    "storage.Lifetime": "of objects, by number",
    "storage.Lock": "of a day, sealed by the program",
    "storage.LossNotice": "when a notice was told",
    "storage.ObjectCount": "sums of the vaults' objects, told in the vaults",
    "storage.QuotaNotice": "when a notice was told",
    "storage.Replica": "copies, by number",
    "storage.Report": "when a report was told",
    "storage.Reservation": "uploads, by number",
    "storage.StoredObject": "the files themselves, encrypted; counted in the vaults",
}


def of_customers() -> set[str]:
    """Return the tables that refer to an account or a person, over however many others."""
    found: set[type[Model]] = {Account, User}
    ours = [
        m
        for app in ("accounts", "billing", "storage")
        for m in apps.get_app_config(app).get_models()
    ]
    while more := {m for m in ours if m not in found and _parents(m) & found}:
        found |= more
    return {model._meta.label for model in found}


def _parents(model: type[Model]) -> set[object]:
    return {
        field.related_model
        for field in model._meta.get_fields()
        if field.many_to_one or (field.one_to_one and field.concrete)
    }


def test_nothing_is_forgotten() -> None:
    account = open_account(User.objects.create_user("alice@example.org"))
    user = account.memberships.get().user
    shown = sections.of_person(user) + sections.of_account(account)
    exported = {section.model._meta.label for section in shown if section.model}
    assert of_customers() <= exported | set(LEFT_OUT)
    assert not exported & set(LEFT_OUT)


def test_what_staff_wrote_for_each_other_stays_theirs() -> None:
    account = open_account(User.objects.create_user("alice@example.org"))
    sam = Actor.person(User.objects.create_user("sam@example.org", is_staff=True))
    grant(account, quota_bytes=10**9, days=3, reason="threatens with a lawyer", actor=sam)
    freeze_account(account, actor=OPERATOR, reason="looks like a lawyer")
    add_note(account, text="the lawyer called", actor=sam)
    rows = [row for section in sections.of_account(account) for row in section.rows()]
    assert not [row for row in rows if "lawyer" in str(row)]
    assert [row for row in rows if row.get("verb") == "account.freeze"]
    assert [row["quota_bytes"] for row in rows if "grace_days" in row] == [10**9]
