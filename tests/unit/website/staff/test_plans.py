"""Plans are changed in gigabytes and dollars, after saying whom it hits."""

import pytest
from django.urls import reverse

from accounts.models import Account, AuditEvent
from billing.models import Plan
from storage.models import Usage
from tests.support.pages import Client, read, text
from tests.unit.website.conftest import owner

pytestmark = pytest.mark.django_db
GB = 10**9


def page_of(slug: str) -> str:
    return reverse("admin:billing_plan_change", args=[Plan.objects.get(slug=slug).pk])


def given(**changed: str) -> dict[str, str]:
    """The form of the plan Personal as it stands, with changes."""
    as_it_is = {
        "name": "Personal",
        "quota_gb": "200",
        "month_dollars": "5",
        "year_dollars": "50",
        "copies": "2",
        "device_limit": "",
        "on_offer": "on",
        "rank": "1",
    }
    return as_it_is | {"rank": str(Plan.objects.get(slug="personal").rank)} | changed


def test_the_form_speaks_in_gigabytes_and_dollars(billing: Client) -> None:
    page = text(billing.get(page_of("personal")))
    assert 'name="quota_gb" value="200"' in page
    assert 'name="month_dollars" value="5' in page
    assert "quota_bytes" not in page


def test_a_change_says_whom_it_hits_and_is_on_record(billing: Client, account: Account) -> None:
    owner("bob@example.org")
    asked = text(billing.post(page_of("personal"), given(quota_gb="300.5", month_dollars="6")))
    assert "This holds at once for 2 accounts" in asked
    assert "200 GB" in asked
    assert "billing products" in asked
    assert Plan.objects.get(slug="personal").quota_bytes == 200 * GB
    sure = given(quota_gb="300.5", month_dollars="6", sure="yes", slug="stolen")
    assert "Changed for 2 accounts" in text(billing.post(page_of("personal"), sure, follow=True))
    plan = Plan.objects.get(slug="personal")
    assert (plan.quota_bytes, plan.month_cents) == (300_500_000_000, 600)
    event = AuditEvent.objects.get(verb="plan.edit")
    assert event.actor_label == "billing@example.org"
    assert event.detail["changes"]["month_cents"] == [500, 600]


def test_nothing_below_what_somebody_uses(billing: Client, account: Account) -> None:
    Usage.objects.create(account=account, live_bytes=150 * GB)
    for sure in ("", "yes"):
        page = text(billing.post(page_of("personal"), given(quota_gb="100", sure=sure)))
        assert "1 of the accounts on this plan hold more than that" in page
    assert Plan.objects.get(slug="personal").quota_bytes == 200 * GB
    billing.post(page_of("personal"), given(quota_gb="150", sure="yes"))
    assert Plan.objects.get(slug="personal").quota_bytes == 150 * GB


@pytest.mark.parametrize(
    "wrong",
    [
        {"quota_gb": "0"},
        {"quota_gb": "NaN"},
        {"month_dollars": "-1"},
        {"month_dollars": "5.001"},
        {"copies": "1"},
        {"name": ""},
        {"rank": "99999999"},
    ],
    ids=str,
)
def test_nonsense_is_asked_for_again(billing: Client, wrong: dict[str, str]) -> None:
    before = Plan.objects.filter(slug="personal").values().get()
    page = billing.post(page_of("personal"), given(**wrong, sure="yes"))
    assert page.status_code == 200
    assert "errorlist" in text(page)
    assert read(page).refused == []
    assert Plan.objects.filter(slug="personal").values().get() == before


def test_no_change_is_none(billing: Client) -> None:
    assert "nothing would change" in text(billing.post(page_of("personal"), given()))
    billing.post(page_of("personal"), given(sure="yes"))
    assert not AuditEvent.objects.filter(verb="plan.edit").exists()


def test_support_looks_only(support: Client) -> None:
    assert "quota_gb" not in text(support.get(page_of("personal")))
    assert support.post(page_of("personal"), given(sure="yes")).status_code == 403
