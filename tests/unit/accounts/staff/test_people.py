"""Who is staff, by `manage.py staff`; and notes about accounts."""

import json
from io import StringIO
from typing import Any

import pytest
from allauth.account.models import EmailAddress
from django.core.management import CommandError, call_command

from accounts.audit import SERVICE, Actor
from accounts.closing.erasure import ERASED, erase_person
from accounts.models import Account, AuditEvent, StaffNote, User
from accounts.staff.groups import OF_GROUP, StaffGroup
from accounts.staff.notes import LONGEST, NoteError, add_note

pytestmark = pytest.mark.django_db


def staff(*words: str) -> dict[str, Any]:
    out = StringIO()
    call_command("staff", *words, "--json", stdout=out)
    found: dict[str, Any] = json.loads(out.getvalue())
    return found


def test_somebody_new_gets_no_password_and_a_confirmed_address() -> None:
    made = staff("add", "Tim@example.org", "--group", "support")
    assert made["groups"] == ["support"]
    assert made["next"].endswith("/accounts/password/reset/")
    user = User.objects.get(email="tim@example.org")
    assert (user.is_staff, user.is_superuser, user.has_usable_password()) == (True, False, False)
    assert EmailAddress.objects.get(user=user).verified
    assert user.has_perm("accounts.view_account")
    assert not user.has_perm("storage.change_region")
    event = AuditEvent.objects.get(verb="staff.add")
    assert (event.subject, event.detail) == ("tim@example.org", {"group": "support"})


def test_somebody_known_keeps_what_they_have() -> None:
    user = User.objects.create_user("tim@example.org", "a slot in the wall")
    for group in ("support", "billing"):
        assert "next" not in staff("add", "TIM@example.org", "--group", group)
    assert [one["groups"] for one in staff("list")["staff"]] == [["billing", "support"]]
    user.refresh_from_db()
    assert user.check_password("a slot in the wall")
    assert user.has_perms(["billing.change_plan", "accounts.suspend_account"])


def test_whoever_is_let_go_has_no_right_left() -> None:
    User.objects.create_superuser("tim@example.org", "a slot in the wall")
    staff("add", "tim@example.org", "--group", "operations")
    assert staff("remove", "tim@example.org")["groups"] == []
    user = User.objects.get()
    assert (user.is_staff, user.is_superuser, user.is_active) == (False, False, True)
    assert not user.has_perm("storage.change_region")
    assert AuditEvent.objects.filter(verb="staff.remove").exists()
    with pytest.raises(CommandError, match="Nobody of staff"):
        staff("remove", "tim@example.org")


def test_what_is_lacking_is_said() -> None:
    with pytest.raises(CommandError, match="--group support"):
        staff("add", "tim@example.org")
    with pytest.raises(CommandError, match="Say whom"):
        staff("add", "--group", "support")
    with pytest.raises(CommandError, match="valid email"):
        staff("add", "no address", "--group", "support")
    assert not User.objects.exists()


def test_the_groups_are_told() -> None:
    told = {one["name"]: one for one in staff("groups")["groups"]}
    assert set(told) == set(StaffGroup)
    assert set(told["support"]["rights"]) == OF_GROUP["support"]


def test_no_group_changes_people() -> None:
    changing = ("add_user", "change_user", "delete_", "change_group")
    rights = {right for of_group in OF_GROUP.values() for right in of_group}
    assert not any(word in right for right in rights for word in changing)


@pytest.mark.parametrize("text", ["", "  ", "x" * (LONGEST + 1)])
def test_notes_have_bounds(account: Account, text: str) -> None:
    with pytest.raises(NoteError, match="at most"):
        add_note(account, text=text, actor=SERVICE)


def test_of_an_account_that_is_erased_nothing_is_noted(account: Account) -> None:
    Account.objects.update(state=Account.State.ERASED)
    with pytest.raises(NoteError, match="erased"):
        add_note(account, text="Alice called", actor=SERVICE)
    assert not StaffNote.objects.exists()


def test_whoever_was_staff_can_be_erased(account: Account) -> None:
    user = User.objects.create_user("tim@example.org")
    add_note(account, text="x", actor=Actor.staff(user))
    erase_person(user)
    note = StaffNote.objects.get()
    assert (note.author, note.author_label) == (None, ERASED)
    assert not User.objects.filter(email="tim@example.org").exists()
