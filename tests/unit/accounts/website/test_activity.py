"""The audit log as customers read it."""

import csv
import io
import re
from datetime import UTC, datetime
from typing import Any

import pytest
from pytest_django import DjangoAssertNumQueries as AssertQueries

from accounts import audit
from accounts.actions import freeze_account
from accounts.audit import OPERATOR, SERVICE, Actor
from accounts.models import Account, AuditEvent, User
from accounts.website.activity_csv import harmless
from storage.models import Region
from storage.vaults.enrolment import Enrolled
from tests.support.pages import Client, text
from tests.unit.website.conftest import enrol

pytestmark = pytest.mark.django_db


def test_events_are_shown_in_words(alice: Client, account: Account, laptop: Enrolled) -> None:
    page = text(alice.get("/activity/"))
    assert "alice@example.org opened this account." in page
    assert "alice@example.org added the computer “laptop”." in page
    assert "the service itself put this account on the plan “Personal”." in page


def test_the_service_itself_is_named_in_the_reader_s_language(
    alice: Client, account: Account
) -> None:
    page = text(alice.get("/activity/", headers={"accept-language": "de"}))
    assert "der Dienst selbst hat" in page
    assert "the service itself" not in page


def test_staff_are_not_named(alice: Client, account: Account, sam: Client) -> None:
    freeze_account(account, actor=Actor.person(User.objects.get(email="sam@example.org")))
    page = text(alice.get("/activity/"))
    assert "the service&#x27;s staff froze this account" in page
    assert "sam@example.org" not in page


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"quota_bytes": 40 * 10**9}, "granted 40 GB of extra room until 4 July 2026"),
        ({"grace_days": 1}, "granted 1 extra day to pay, until 4 July 2026"),
        (
            {"quota_bytes": 10**9, "grace_days": 14},
            "granted 1 GB of extra room and 14 extra days to pay, until 4 July 2026",
        ),
    ],
)
def test_what_staff_granted_is_told_without_their_reason(
    alice: Client, account: Account, given: dict[str, int], said: str
) -> None:
    words = {"until": "2026-07-04T10:00:00+00:00", "reason": "threatens with a lawyer"}
    audit.record(OPERATOR, "account.grant", account.public_id, account=account, **given, **words)
    pages = [text(alice.get(path)) for path in ("/activity/", "/settings/")]
    assert said in pages[0].replace("\xa0", " ")
    pages.append(table(alice).decode())
    assert not [page for page in pages if "lawyer" in page]


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


def table(browser: Client, asked: dict[str, str] | None = None) -> bytes:
    answer: Any = browser.get("/activity/export.csv", asked or {})
    assert answer.status_code == 200
    return b"".join(answer.streaming_content)


def credential(prefix: str, label: str = "laptop") -> Actor:
    return Actor.device_credential(prefix, label=label, address="203.0.113.5")


def test_removals_by_a_credential_are_seen(alice: Client, account: Account) -> None:
    audit.record(
        credential("abc123"), "vault.remove", "v1", account=account, snapshots=17, objects=40
    )
    assert (
        "the credential abc123 (“laptop”) removed 17 snapshots, 40 objects in all, "
        "from 203.0.113.5." in text(alice.get("/activity/"))
    )


def test_staff_come_from_nowhere(alice: Client, account: Account, sam: Client) -> None:
    user = User.objects.get(email="sam@example.org")
    actor = Actor.staff(user, address="198.51.100.77")
    audit.record(actor, "account.freeze", account.public_id, account=account)
    for shown in (alice.get("/activity/").content, table(alice)):
        assert b"staff" in shown
        assert b"198.51.100.77" not in shown
        assert b"sam@" not in shown


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ({"person": "ALICE@example.org"}, {"one"}),
        ({"person": "sam@example.org"}, set()),  # staff are nobody's to look for
        ({"credential": "abc123"}, {"two"}),
        ({"by": "credential"}, {"two", "three"}),
        ({"by": "credential", "credential": "def456"}, {"three"}),
        ({"about": "vault"}, {"two"}),
        ({"since": "2026-03-01", "until": "2026-03-01"}, {"two"}),
        ({"since": "2026-03-02"}, {"three", "four"}),
        ({"since": "yesterday", "by": "nobody"}, {"one", "two", "three", "four"}),
        ({"since": "9999-12-31"}, {"one", "two", "three", "four"}),
    ],
)
def test_the_page_can_be_narrowed(
    alice: Client, account: Account, sam: Client, asked: dict[str, str], expected: set[str]
) -> None:
    user = account.memberships.get().user
    staff = Actor.staff(User.objects.get(email="sam@example.org"))
    acts = [
        ("one", Actor.person(user), "test", datetime(2026, 2, 28, 23, 59, tzinfo=UTC)),
        ("two", credential("abc123"), "vault", datetime(2026, 3, 1, tzinfo=UTC)),
        ("three", credential("def456"), "test", datetime(2026, 3, 2, tzinfo=UTC)),
        ("four", staff, "test", datetime(2026, 3, 3, tzinfo=UTC)),
    ]
    account.audit_events.all().delete()
    for name, actor, group, at in acts:
        event = audit.record(actor, f"{group}.act", f"<{name}>", account=account)
        type(event).objects.filter(pk=event.pk).update(at=at)
    page = text(alice.get("/activity/", asked))
    assert set(re.findall(r"&lt;(\w+)&gt;", page)) == expected
    assert set(re.findall(r",<(\w+)>,", table(alice, asked).decode())) == expected


def test_pages_keep_what_was_asked(alice: Client, account: Account) -> None:
    for number in range(60):
        audit.record(credential("abc123"), "test.count", f"<{number}>", account=account)
        audit.record(SERVICE, "test.count", "<other>", account=account)
    page = text(alice.get("/activity/", {"credential": "abc123"}))
    [older] = re.findall(r'href="(/activity/\?credential=abc123&amp;before=\d+)"', page)
    page = text(alice.get(older.replace("&amp;", "&")))
    assert re.findall(r"&lt;(\w+)&gt;", page) == [str(number) for number in reversed(range(10))]


def test_the_table_holds_no_formulas_and_every_row(alice: Client, account: Account) -> None:
    odd = ["=1+1", "+cmd", "-2", "@x", "\tx", "\uff1dx", " =1", 'a "quoted", \n text', "plain"]
    for subject in odd:
        audit.record(SERVICE, "test.act", subject, account=account)
    for number in range(1100):
        audit.record(SERVICE, "test.count", str(number), account=account)
    answer = alice.get("/activity/export.csv")
    assert answer["Content-Disposition"] == 'attachment; filename="nightsafe-activity.csv"'
    whole = table(alice).decode("utf-8-sig")
    rows = list(csv.DictReader(io.StringIO(whole, newline="")))
    assert len(rows) == AuditEvent.objects.filter(account=account).count()
    cells = [row["subject"] for row in rows if row["verb"] == "test.act"]
    assert cells == list(reversed([f"'{text}" for text in odd[:7]] + odd[7:]))
    for row in rows:
        assert not any(cell.startswith(("=", "+", "-", "@", "\t", "\r")) for cell in row.values())


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("pc;=1+1", "pc;'=1+1"),
        ("pc; @x;+2", "pc; '@x;'+2"),
        ("pc\n-1\t\uff1d2", "pc\n'-1\t'\uff1d2"),
        ("a; b-c; 5", "a; b-c; 5"),
    ],
)
def test_what_is_cut_at_semicolons_holds_none_either(text: str, written: str) -> None:
    assert harmless(text) == written


def test_how_many_queries_a_page_and_a_table_cost(
    alice: Client, account: Account, django_assert_num_queries: AssertQueries
) -> None:
    for number in range(1000):
        audit.record(credential("abc123"), "test.count", str(number), account=account)
    with django_assert_num_queries(5):  # session, person, account, members, events
        alice.get("/activity/")
    with django_assert_num_queries(7):
        table(alice)


def test_the_table_is_of_ones_own_account(
    bob: Client, account: Account, regions: list[Region]
) -> None:
    enrol(account, "secret project")
    assert b"secret project" not in table(bob)
    assert b"bob@example.org" in table(bob)
