"""The audit log as customers read it."""

import re

import pytest

from accounts import audit
from accounts.actions import freeze_account
from accounts.audit import Actor
from accounts.models import Account, User
from storage.models import Region
from storage.vaults.enrolment import Enrolled
from tests.support.pages import Client, text
from tests.unit.website.conftest import enrol

pytestmark = pytest.mark.django_db


def test_events_are_shown_in_words(alice: Client, account: Account, laptop: Enrolled) -> None:
    page = text(alice.get("/activity/"))
    assert "alice@example.org opened this account." in page
    assert "alice@example.org added the device “laptop”." in page
    assert "the service itself put this account on the plan “personal”." in page


def test_staff_are_not_named(alice: Client, account: Account, sam: Client) -> None:
    freeze_account(account, actor=Actor.person(User.objects.get(email="sam@example.org")))
    page = text(alice.get("/activity/"))
    assert "the service&#x27;s staff froze this account" in page
    assert "sam@example.org" not in page


def test_verbs_without_a_sentence_are_shown_as_they_are(alice: Client, account: Account) -> None:
    audit.record(audit.SERVICE, "robot.dance", "a waltz", account=account, tempo="{slow}")
    assert "the service itself robot: dance (a waltz)." in text(alice.get("/activity/"))


def test_older_events_are_a_page_away(alice: Client, account: Account) -> None:
    for number in range(120):
        audit.record(audit.SERVICE, "test.count", f"<{number}>", account=account)
    seen, address = [], "/activity/"
    while address:
        page = text(alice.get(address))
        seen += re.findall(r"&lt;(\d+)&gt;", page)
        [*older] = re.findall(r'href="(/activity/\?before=\d+)"', page)
        address = older[0] if older else ""
    assert seen == [str(number) for number in reversed(range(120))]


def test_nonsense_in_the_address_is_the_newest_page(alice: Client, account: Account) -> None:
    for nonsense in ("x", "-1", "9" * 40, "²"):
        assert alice.get("/activity/", {"before": nonsense}).status_code == 200


def test_bob_reads_only_his_own(bob: Client, account: Account, regions: list[Region]) -> None:
    enrol(account, "secret project")
    page = text(bob.get("/activity/"))
    assert "secret project" not in page
    assert "alice@example.org" not in page


def test_charlie_has_none(charlie: Client) -> None:
    assert charlie.get("/activity/").status_code == 404
