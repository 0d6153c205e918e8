"""The pages about plans and payments, as owners, those who run an account, and members see them."""

from datetime import timedelta

import pytest
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries, Settings

from accounts.actions import freeze_account
from accounts.audit import SERVICE
from accounts.models import Account, Membership, User
from billing.actions import entitlements_of, subscribe
from billing.grants import grant
from billing.models import Plan, Subscription
from storage.models import Usage
from tests.support.pages import Client, PageReader
from tests.unit.billing.conftest import FAILS_LATER, GB, GOOD, Payments, browser_of
from tests.unit.website.conftest import reauthenticated

pytestmark = pytest.mark.django_db


def page(client: Client, name: str = "billing", **query: str) -> str:
    response = client.get(reverse(name), query)
    assert response.status_code == 200
    text = response.content.decode()
    reader = PageReader()
    reader.feed(text)
    assert reader.refused == []
    return " ".join(text.split())


def seat(account: Account, role: str) -> Client:
    user = User.objects.create_user(f"{role}@example.org", "a slot in the wall")
    Membership.objects.create(account=account, user=user, role=role)
    client = Client()
    client.force_login(user, "django.contrib.auth.backends.ModelBackend")
    return reauthenticated(client, user)


def sure_browser_of(account: Account) -> Client:
    """As `browser_of`, with the password given again just now."""
    return reauthenticated(browser_of(account), account.memberships.get(role="owner").user)


def test_from_the_free_plan_to_a_paid_one(payments: Payments, alice: Account) -> None:
    client = browser_of(alice)
    assert "nothing is to be paid" in page(client)
    shown = page(client, "billing_plans")
    assert "$5 <small>a month" in shown
    assert "$100 <small>a year" in page(client, "billing_plans", interval="year")
    answer = client.post(reverse("billing_checkout"), {"plan": "personal", "interval": "month"})
    assert answer.status_code == 302
    payments.browser.post(answer["Location"], number=GOOD)
    back = client.get(payments.browser.location, follow=True)
    assert "Your account is on the plan Personal" in back.content.decode()
    assert entitlements_of(alice).quota == 200 * GB
    shown = page(client)
    assert "All is paid" in shown
    assert "The next invoice is about $5" in shown
    assert "Choose a plan" not in shown
    assert "Change plan, card or cancel" in shown


def test_the_form_may_lead_to_the_payment_service_and_nowhere_else(alice: Account) -> None:
    for name in ("billing", "billing_plans"):
        policy = browser_of(alice).get(reverse(name))["Content-Security-Policy"]
        (rule,) = [part for part in policy.split(";") if "form-action" in part]
        assert rule.split() == [
            "form-action",
            "'self'",
            "https://checkout.stripe.com",
            "https://billing.stripe.com",
        ]
    assert "stripe" not in browser_of(alice).get("/dashboard/")["Content-Security-Policy"]


def test_the_portal_opens_for_whoever_is_there(
    payments: Payments, alice: Account, settings: Settings
) -> None:
    payments.subscribe(alice)
    client, portal = browser_of(alice), reverse("billing_portal")
    asked = client.post(portal)["Location"]
    assert asked.startswith("/accounts/reauthenticate/?next=")
    policy = client.get(asked)["Content-Security-Policy"]
    (rule,) = [part for part in policy.split(";") if "form-action" in part]
    assert rule.split()[1:] == ["'self'", *settings.STRIPE_PAGES]  # where its answer leads
    opened = client.post(asked, {"password": "a slot in the wall", "next": portal})
    assert opened["Location"].startswith(payments.stand_in.address)


@pytest.mark.parametrize("way", ["reauthenticate", "2fa/webauthn/reauthenticate"])
@pytest.mark.parametrize("wanted", ["/settings/export/", "/billing/portal/x", "/billing/"])
def test_proof_for_anything_else_leads_to_no_payment(alice: Account, way: str, wanted: str) -> None:
    page = browser_of(alice).get(f"/accounts/{way}/", {"next": wanted})
    assert "stripe" not in page["Content-Security-Policy"]


def test_who_has_paid_in_the_other_tab_is_told_and_not_charged(
    payments: Payments, alice: Account
) -> None:
    client = browser_of(alice)
    payments.subscribe(alice)
    form = {"plan": "plus", "interval": "month"}
    answer = client.post(reverse("billing_checkout"), form, follow=True)
    assert "has a paid plan already, and pays only once" in answer.content.decode()


@pytest.mark.parametrize(
    "form", [{}, {"plan": "gold", "interval": "month"}, {"plan": "plus", "interval": "week"}]
)
def test_a_choice_that_is_none_is_answered_in_words(alice: Account, form: dict[str, str]) -> None:
    answer = browser_of(alice).post(reverse("billing_checkout"), form, follow=True)
    assert "Choose one of these plans" in answer.content.decode()


def test_a_service_that_takes_no_payments_says_so(alice: Account) -> None:
    client = browser_of(alice)
    assert "This service takes no payments" in page(client)
    assert "This service takes no payments" in page(client, "billing_plans")
    form = {"plan": "plus", "interval": "month"}
    for name in ("billing_checkout", "billing_portal"):
        answer = sure_browser_of(alice).post(reverse(name), form, follow=True)
        assert "takes no payments" in answer.content.decode()


def test_while_stripe_is_away_the_page_is_there(payments: Payments, alice: Account) -> None:
    payments.subscribe(alice)
    payments.stand_in.stop()
    client = browser_of(alice)
    assert "cannot be asked for them at this moment" in page(client)
    answer = sure_browser_of(alice).post(reverse("billing_portal"), follow=True)
    assert "cannot be reached at this moment, and nothing was changed" in answer.content.decode()
    back = client.get(reverse("billing_return"), follow=True)
    assert "If you have paid, your plan changes by itself" in back.content.decode()


def test_a_payment_that_fails_is_told_with_what_happens_when(
    payments: Payments, alice: Account
) -> None:
    payments.subscribe(alice)
    payments.portal(alice, act="card", number=FAILS_LATER)
    payments.stand_in.travel(32 * 86400)
    row = payments.synced(alice)
    shown = page(browser_of(alice))
    assert row.unpaid_since is not None
    begins = row.unpaid_since + timedelta(days=15)
    assert f"until {begins:%-d %B %Y} nothing changes" in shown
    assert f"{begins:%-d %b %Y}" in shown
    assert "New backups are paused" in shown
    assert "Pay, change or cancel" in shown
    assert "<strong>to be paid</strong>" in shown
    payments.stand_in.travel(20 * 86400)
    assert "A payment is overdue, so new backups are paused" in page(browser_of(alice))
    (owed,) = payments.owed(alice)
    payments.browser.post(owed.hosted_invoice_url or "", number=GOOD)
    browser_of(alice).get(reverse("billing_return"))
    assert "All is paid" in page(browser_of(alice))


def test_what_was_cancelled_or_planned_is_told_with_its_day(
    payments: Payments, alice: Account
) -> None:
    row = payments.subscribe(alice, "plus")
    assert row.period_ends_at is not None
    day = f"{row.period_ends_at:%-d %B %Y}"
    payments.portal(alice, act="change", price=payments.price("nightsafe-personal-month"))
    payments.synced(alice)
    assert f"On {day} your plan changes to Personal" in page(browser_of(alice))
    payments.portal(alice, act="cancel")
    payments.synced(alice)
    assert f"is cancelled and ends on {day}" in page(browser_of(alice))


def test_over_the_cap_grants_and_a_frozen_account_are_told(alice: Account) -> None:
    Usage.objects.create(account=alice, live_bytes=6 * GB)
    assert "More is stored than the plan has room for" in page(browser_of(alice))
    grant(alice, quota_bytes=10 * GB, grace_days=3, days=14, reason="x", actor=SERVICE)
    shown = page(browser_of(alice))
    assert "6 GB of 15 GB are used (40 %)" in shown
    assert "10 GB of it were granted until" in shown
    assert "3 more days to pay were granted" in shown
    freeze_account(alice, actor=SERVICE)
    assert "This account is frozen" in page(browser_of(alice))


def test_a_plan_that_is_no_longer_sold_is_kept(alice: Account) -> None:
    subscribe(alice, plan="plus", actor=SERVICE)
    Plan.objects.filter(slug="plus").update(on_offer=False)
    client = browser_of(alice)
    assert "You keep it for as long as you pay it" in page(client)
    assert "Plus" not in page(client, "billing_plans").split("<main")[1].split("</main>")[0]


@pytest.mark.parametrize(
    ("role", "sees", "pays"),
    [("owner", 200, 302), ("admin", 200, 403), ("auditor", 200, 403), ("member", 403, 403)],
)
def test_who_may_see_and_who_may_pay(
    alice: Account, settings: Settings, role: str, sees: int, pays: int
) -> None:
    client = seat(alice, role)
    assert client.get(reverse("billing")).status_code == sees
    form = {"plan": "plus", "interval": "month"}
    for name in ("billing_checkout", "billing_portal"):
        assert client.post(reverse(name), form).status_code == pays
    settings.STRIPE_API_KEY = "sk_test_of_nobody"
    if sees == 200 and pays == 403:
        assert "Only an owner of the account can change this" in page(client)


def test_everybody_sees_their_own_account_only(
    payments: Payments, alice: Account, bob: Account
) -> None:
    payments.subscribe(alice, "plus")
    shown = page(browser_of(bob))
    assert "Plus" not in shown.split("<main")[1]
    number = payments.stripe.v1.invoices.list().data[0].number or ""
    assert number in page(browser_of(alice))
    assert number not in shown


def test_a_reload_of_the_return_page_does_nothing_twice(payments: Payments, alice: Account) -> None:
    payments.pay(alice)
    client = browser_of(alice)
    for _ in range(3):
        assert client.get(reverse("billing_return")).status_code == 302
    assert Subscription.objects.get(account=alice).plan.slug == "personal"
    assert alice.audit_events.filter(verb="plan.change").count() == 1


def test_the_page_asks_the_database_little(
    alice: Account, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    for _ in range(5):
        grant(alice, quota_bytes=GB, days=14, reason="x", actor=SERVICE)
    client = browser_of(alice)
    client.get(reverse("billing"))
    with django_assert_max_num_queries(12):
        client.get(reverse("billing"))
