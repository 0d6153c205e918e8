"""The parts of pages that renew themselves: what they say, and that most answers are empty."""

import re

import pytest
from django.urls import reverse

from accounts.models import Account
from storage.object_names import ObjectType
from storage.vaults.enrolment import Enrolled
from tests.support.pages import Client, read, text
from tests.unit.website.conftest import back_up, deposit, enrol

pytestmark = pytest.mark.django_db


def pages(laptop: Enrolled) -> tuple[str, str]:
    return reverse("dashboard"), reverse("vault", args=[laptop.vault.public_id])


def begin(laptop: Enrolled) -> None:
    """Begin a backup: a lock, and a pack."""
    deposit(laptop, ObjectType.LOCK, size=200)
    deposit(laptop, ObjectType.DATA, size=5_000_000)


def test_a_page_that_is_new_hears_that_nothing_has_changed(alice: Client, laptop: Enrolled) -> None:
    back_up(laptop)
    for page in pages(laptop):
        shown = alice.get(page)
        [version] = re.findall(r'data-version="&quot;(\w{32})&quot;"', shown.content.decode())
        again = alice.get(f"{page}live/", headers={"if-none-match": f'"{version}"'})
        assert again.status_code == 304
        assert again.content == b""
        assert "no-store" in again["Cache-Control"]


def test_a_backup_that_runs_is_told_and_ends(alice: Client, laptop: Enrolled) -> None:
    for page in pages(laptop):
        assert "is running" not in text(alice.get(page))
    begin(laptop)
    for page in pages(laptop):
        version = alice.get(f"{page}live/")["ETag"]
        for part in (alice.get(page), alice.get(f"{page}live/")):
            told = text(part).replace("\u00a0", " ")
            assert "is running, 5 MB received so far." in told
            assert "A backup of laptop is running." in told  # read aloud, without figures
        deposit(laptop, ObjectType.DATA, size=1_000_000)
        changed = alice.get(f"{page}live/", headers={"if-none-match": version})
        assert changed.status_code == 200
        assert changed["ETag"] != version
        back_up(laptop)
        assert "is running" not in text(alice.get(f"{page}live/"))
        begin_again(laptop)


def begin_again(laptop: Enrolled) -> None:
    deposit(laptop, ObjectType.DATA, size=5_000_000)


def test_what_is_renewed_holds_no_form_and_no_script(
    alice: Client, account: Account, laptop: Enrolled
) -> None:
    for n in range(6):
        enrol(account, f"pc-{n}")
    for page in pages(laptop):
        shown = alice.get(f"{page}live/")
        assert b"csrf" not in shown.content
        assert read(shown).forms == []
        assert read(shown).refused == []


def test_the_parts_are_those_of_the_page(alice: Client, account: Account, laptop: Enrolled) -> None:
    for n in range(6):
        enrol(account, f"pc-{n}")
    for page in pages(laptop):
        whole, fragment = (alice.get(path).content.decode() for path in (page, f"{page}live/"))
        names = re.findall(r'data-part="(\w+)"', fragment)
        assert names
        assert sorted(names) == sorted(re.findall(r'data-part="(\w+)"', whole))


def test_the_table_is_renewed_as_it_was_asked_for(
    alice: Client, account: Account, laptop: Enrolled
) -> None:
    for n in range(6):
        enrol(account, f"pc-{n}")
    page = text(alice.get("/dashboard/?q=pc-3&sort=-name"))
    assert 'data-live="/dashboard/live/?q=pc-3&amp;sort=-name"' in page
    part = text(alice.get("/dashboard/live/?q=pc-3&sort=-name"))
    assert "pc-3" in part
    assert ">pc-4</a></th>" not in part


def test_bob_hears_nothing_of_alice(bob: Client, laptop: Enrolled) -> None:
    begin(laptop)
    dashboard, vault = pages(laptop)
    assert "laptop" not in text(bob.get(f"{dashboard}live/"))
    assert bob.get(f"{vault}live/").status_code == 404
