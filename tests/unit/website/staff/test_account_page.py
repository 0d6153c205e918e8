"""What staff see of an account: why uploads are refused, first of all."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from accounts.audit import SERVICE
from accounts.closing.actions import close
from accounts.models import Account, AuditEvent, StaffNote
from backup_service import clock
from billing.actions import subscribe
from billing.models import Grant, Subscription
from storage.events.refusals import Refusal, write
from storage.models import Usage, Vault
from storage.vaults.enrolment import Enrolled
from tests.support.pages import Client, read, text
from tests.support.responses import Response
from tests.unit.website.conftest import back_up, enrol

pytestmark = pytest.mark.django_db
GB = 10**9


def page_of(account: Account) -> str:
    return reverse("admin:accounts_account_change", args=[account.pk])


def act_on(account: Account, slug: str) -> str:
    return reverse("admin:account_act", args=[account.pk, slug])


def confirm(client: Client, path: str, **given: object) -> Response:
    """Send an act's form, read what it would do, and say yes."""
    asked = client.post(path, given)
    assert asked.status_code == 200
    once = asked.context["once"]
    answer: Response = client.post(path, given | {"sure": "yes", "once": once}, follow=True)
    return answer


def fill(account: Account, size: int) -> None:
    Usage.objects.update_or_create(account=account, defaults={"live_bytes": size})


def refuse(enrolled: Enrolled, status: int, words: str) -> None:
    credential = enrolled.first.credential
    write(Refusal(enrolled.vault.pk, credential, status, "x", words, stops_backups=True), 3)


def test_support_helps_somebody_whose_uploads_are_refused(
    support: Client, account: Account, laptop: Enrolled
) -> None:
    subscribe(account, plan="free", actor=SERVICE)
    back_up(laptop)
    fill(account, 6 * GB)
    refuse(laptop, 507, "Over quota: 6.00 of 5 GB are used.")
    found = support.get("/admin/search/", {"q": "alice@ex"})
    assert page_of(account) in read(found).links
    page = text(support.get(page_of(account)))
    assert "Uploads are refused: more is stored than there is room for." in page
    assert "6 GB of 5 GB are used (120 %); that is 1 GB too much." in page
    assert "Over quota: 6.00 of 5 GB are used." in page
    assert act_on(account, "room") in page
    assert "holds more than its quota" in page
    assert "over-cap" not in page

    assert "1 GB are missing for what is there" in text(support.get(act_on(account, "room")))
    asked = support.post(
        act_on(account, "room"), {"quota_gb": "10", "days": "14", "reason": "moving house"}
    )
    assert "15 GB instead of 5 GB" in text(asked)
    assert not Grant.objects.exists()
    done = confirm(
        support, act_on(account, "room"), quota_gb="10", days="14", reason="moving house"
    )
    assert "Granted 10 GB until" in text(done)
    assert "Uploads are taken again" in text(done)
    assert "moving house (support@example.org)" in text(done)
    event = AuditEvent.objects.get(verb="account.grant")
    assert (event.account, event.actor_label, event.actor_kind) == (
        account,
        "support@example.org",
        "staff",
    )
    assert event.detail["days"] == 14
    assert "account.grant" in text(done)


def test_a_form_that_is_sent_twice_is_done_once(support: Client, account: Account) -> None:
    given = {"quota_gb": "10", "days": "14", "reason": "twice"}
    once = support.post(act_on(account, "room"), given).context["once"]
    for _ in range(2):
        answer = support.post(
            act_on(account, "room"), given | {"sure": "yes", "once": once}, follow=True
        )
    assert "was sent before" in text(answer)
    assert Grant.objects.count() == 1


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        ({"quota_gb": "10", "days": "14", "reason": " "}, "required"),
        ({"quota_gb": "0", "days": "14", "reason": "x"}, "greater than or equal to 1"),
        ({"quota_gb": "10", "days": "367", "reason": "x"}, "less than or equal to 366"),
        ({"quota_gb": "1e99", "days": "1", "reason": "x"}, "Ensure"),
        ({"quota_gb": "10", "days": "1", "reason": "x" * 201}, "at most 200"),
    ],
)
def test_what_cannot_be_granted_is_asked_for_again(
    support: Client, account: Account, given: dict[str, str], complaint: str
) -> None:
    page = text(support.post(act_on(account, "room"), given | {"sure": "yes"}))
    assert complaint in page
    assert not Grant.objects.exists()


def test_grace_for_somebody_who_owes(support: Client, account: Account) -> None:
    assert act_on(account, "grace") not in text(support.get(page_of(account)))
    Subscription.objects.update(unpaid_since=clock.now() - timedelta(days=20))
    page = text(support.get(page_of(account)))
    assert "Uploads are refused: a payment is overdue." in page
    assert "Nothing was paid for 20 days" in page
    given = {"grace_days": "14", "days": "60", "reason": "the bank was slow"}
    asked = text(support.post(act_on(account, "grace"), given))
    assert "New backups are paused from" in asked
    assert "not enough" not in asked
    little = text(support.post(act_on(account, "grace"), given | {"grace_days": "2"}))
    assert "That is not enough for new backups now" in little
    assert "Uploads are taken." in text(confirm(support, act_on(account, "grace"), **given))


def test_freezing_and_lifting_it(support: Client, account: Account) -> None:
    confirm(support, act_on(account, "freeze"), reason="it sends spam")
    account.refresh_from_db()
    assert account.state == "frozen"
    page = text(support.get(page_of(account)))
    assert "Uploads are refused: the account is frozen." in page
    assert act_on(account, "freeze") not in page
    assert "was not active" in text(confirm(support, act_on(account, "freeze"), reason="again"))
    confirm(support, act_on(account, "unfreeze"), reason="it does not")
    account.refresh_from_db()
    assert account.state == "active"
    events = AuditEvent.objects.filter(account=account, actor_kind="staff").order_by("pk")
    assert [(event.verb, event.detail["reason"]) for event in events] == [
        ("account.freeze", "it sends spam"),
        ("account.unfreeze", "it does not"),
    ]


def test_a_closed_account_stays_closed(support: Client, account: Account) -> None:
    Account.objects.update(state="closed")
    assert "was not frozen" in text(confirm(support, act_on(account, "unfreeze"), reason="x"))
    account.refresh_from_db()
    assert account.state == "closed"
    assert "the account is closed" in text(support.get(page_of(account)))


def test_closing_and_opening_again(support: Client, account: Account) -> None:
    asked = text(support.post(act_on(account, "close"), {"reason": "asked by telephone"}))
    assert "after 30 days everything is erased" in asked
    page = text(confirm(support, act_on(account, "close"), reason="asked by telephone"))
    assert "Uploads are refused: the account is closed." in page
    assert act_on(account, "close") not in page
    assert "closed already" in text(confirm(support, act_on(account, "close"), reason="again"))
    confirm(support, act_on(account, "reopen"), reason="changed their mind")
    account.refresh_from_db()
    assert account.state == "active"
    events = AuditEvent.objects.filter(account=account, actor_kind="staff").order_by("pk")
    assert [event.verb for event in events] == ["account.close", "account.reopen"]


def test_who_still_owes_is_not_opened_by_hand(support: Client, account: Account) -> None:
    long_ago = clock.now() - timedelta(days=100)
    Subscription.objects.filter(account=account).update(unpaid_since=long_ago)
    close(account, reason="unpaid", actor=SERVICE)
    page = text(confirm(support, act_on(account, "reopen"), reason="a nice person"))
    assert "A payment is still overdue" in page
    account.refresh_from_db()
    assert account.state == "closed"
    Subscription.objects.filter(account=account).update(unpaid_since=None)
    confirm(support, act_on(account, "reopen"), reason="has paid")
    account.refresh_from_db()
    assert account.state == "active"


def test_another_plan_for_somebody_who_does_not_pay(billing: Client, account: Account) -> None:
    fill(account, 6 * GB)
    asked = text(billing.post(act_on(account, "plan"), {"plan": "free", "reason": "asked for it"}))
    assert "on Free (5 GB) instead of Personal (200 GB)" in asked
    assert "it becomes read-only" in asked
    confirm(billing, act_on(account, "plan"), plan="plus", reason="a friend of the house")
    account.refresh_from_db()
    assert account.subscription.plan.slug == "plus"
    event = AuditEvent.objects.get(verb="plan.choose", actor_kind="staff")
    assert event.detail == {"plan": "plus", "reason": "a friend of the house"}


def test_not_for_somebody_who_pays(billing: Client, account: Account) -> None:
    Subscription.objects.update(stripe_subscription="sub_1", stripe_status="active")
    answer = confirm(billing, act_on(account, "plan"), plan="plus", reason="x")
    assert "pays for its plan through Stripe" in text(answer)
    account.refresh_from_db()
    assert account.subscription.plan.slug == "personal"


def test_the_continent(support: Client, account: Account) -> None:
    confirm(support, act_on(account, "continent"), continent="asia")
    account.refresh_from_db()
    assert account.continent == "asia"
    confirm(support, act_on(account, "continent"), continent="")
    account.refresh_from_db()
    assert account.continent == ""
    assert AuditEvent.objects.filter(verb="account.continent", account=account).count() == 2


def test_notes_stay_and_are_escaped(support: Client, account: Account) -> None:
    page = confirm(support, act_on(account, "note"), text="Called <b>today</b>\nwill call again")
    assert "Called &lt;b&gt;today&lt;/b&gt;<br>will call again" in text(page)
    note = StaffNote.objects.get()
    assert (note.account, note.author_label) == (account, "support@example.org")
    event = AuditEvent.objects.get(verb="staff.note")
    assert event.account == account
    assert "Called" not in str(event.detail)
    path = reverse("admin:accounts_staffnote_change", args=[note.pk])
    assert support.post(path, {"text": "other"}).status_code == 403


def test_customers_do_not_see_notes(support: Client, alice: Client, account: Account) -> None:
    confirm(support, act_on(account, "note"), text="a difficult person")
    history = text(alice.get("/activity/"))
    assert "difficult" not in history
    assert "support@example.org" not in history
    assert "wrote a note for other staff" in history


def test_html_in_names_is_text(support: Client, account: Account, laptop: Enrolled) -> None:
    Account.objects.update(name="<script>alert(1)</script>")
    Vault.objects.update(name="<img src=x onerror=alert(1)>")
    refuse(laptop, 403, "<i>no</i>")
    page = read(support.get(page_of(account)))
    assert page.refused == []
    assert page.titles == 1
    assert "&lt;i&gt;no&lt;/i&gt;" in text(support.get(page_of(account)))


def test_unknown_accounts_and_acts(support: Client, account: Account) -> None:
    assert support.get(page_of(account).replace(str(account.pk), "999999")).status_code == 404
    assert support.get(page_of(account).replace(str(account.pk), "x")).status_code == 404
    assert support.get(act_on(account, "nothing")).status_code == 404
    assert support.post(page_of(account), {"name": "mine"}).status_code == 403


def test_the_page_is_bounded_in_rows_and_queries(
    support: Client, account: Account, laptop: Enrolled
) -> None:
    back_up(laptop)
    refuse(laptop, 403, "no")
    support.get(page_of(account))
    with CaptureQueriesContext(connection) as few:
        support.get(page_of(account))
    vaults = [Vault(account=account, name=f"vault {n}") for n in range(190)]
    Vault.objects.bulk_create(vaults)
    for n in range(2):
        refuse(enrol(account, f"other {n}"), 403, "no")
    notes = [StaffNote(account=account, text="x", author_label="x") for _ in range(1000)]
    StaffNote.objects.bulk_create(notes)
    with CaptureQueriesContext(connection) as many:
        page = support.get(page_of(account))
    assert len(many) == len(few) <= 36
    assert text(page).count("/admin/storage/vault/") < 25
    assert len(page.content) < 100_000
