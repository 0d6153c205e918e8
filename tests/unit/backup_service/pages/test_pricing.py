"""What plans cost comes from their rows, and which one was chosen goes along."""

import re
from html import unescape

import pytest
from django.core import mail
from django.urls import NoReverseMatch, reverse

from backup_service.pages.pricing import prices
from billing.models import Plan
from tests.support.pages import Client, text
from tests.unit.website.conftest import PASSWORD, client_of, owner


def plan(quota_gb: int, month: int, year: int) -> Plan:
    return Plan(
        slug="p", name="P", quota_bytes=quota_gb * 10**9, month_cents=month, year_cents=year
    )


@pytest.mark.parametrize(
    ("yearly", "cents", "gb", "saved"), [(False, 500, "$0.025", 0), (True, 5000, "$0.021", 1000)]
)
def test_a_plan_by_the_month_and_by_the_year(yearly: bool, cents: int, gb: str, saved: int) -> None:
    (price,) = prices([plan(200, 500, 5000)], yearly=yearly)
    assert (price.cents, price.gb, price.saved) == (cents, gb, saved)


def test_a_free_plan_has_no_price_for_a_gb() -> None:
    (price,) = prices([plan(5, 0, 0)], yearly=True)
    assert (price.cents, price.gb, price.saved) == (0, "", 0)


def test_a_year_that_costs_more_saves_nothing() -> None:
    (price,) = prices([plan(200, 500, 7000)], yearly=True)
    assert price.saved == 0


@pytest.mark.django_db
def test_the_switch_needs_no_script(client: Client) -> None:
    Plan.objects.filter(slug="personal").update(month_cents=777, year_cents=7070)
    month, year = text(client.get("/pricing/")), text(client.get("/pricing/?every=year"))
    assert "$7.77" in month
    assert "$70.70" not in month
    assert "$70.70" in year
    assert '<a href="/pricing/?every=year" aria-current="page">Yearly</a>' in year


@pytest.mark.django_db
def test_a_plan_that_is_withdrawn_is_not_on_offer(client: Client) -> None:
    Plan.objects.filter(slug="plus").update(on_offer=False)
    assert 'id="plan-plus"' not in text(client.get("/pricing/"))


@pytest.mark.django_db
def test_nothing_is_sold_that_cannot_be_bought(client: Client) -> None:
    page = text(client.get("/pricing/"))
    try:
        reverse("billing")
    except NoReverseMatch:
        assert "cannot be bought on this service yet" in page
        assert "Choose Personal" not in page
    else:
        assert "Choose Personal" in page


def link_to(name: str, page: str) -> str:
    """Return where the page's button for choosing a plan leads."""
    [link] = re.findall(rf'href="([^"]+)"[^>]*>\s*Choose {name}', page)
    return unescape(link)


@pytest.mark.django_db
def test_the_plan_that_a_visitor_chose_is_there_after_signing_up(client: Client) -> None:
    link = link_to("Personal", text(client.get("/pricing/?every=year")))
    assert link.startswith("/accounts/signup/?next=%2Fbilling%2Fplans%2F")
    form = text(client.get(link))
    [wanted] = re.findall(r'name="next" value="([^"]+)"', form)
    sign_up = {"email": "dora@example.org", "password1": PASSWORD, "next": unescape(wanted)}
    client.post("/accounts/signup/", sign_up)
    [confirm] = re.findall(r"http://[^/\s]+(/accounts/confirm-email/\S+)", str(mail.outbox[0].body))
    there = client.post(confirm)["Location"]
    page = text(client.get(there))
    assert "Your choice: Personal" in page
    assert "$50 <small>a year" in page
    assert "Plus" not in page.split("<main")[1].split("</main>")[0]


@pytest.mark.django_db
def test_who_is_signed_in_goes_straight_to_the_plan() -> None:
    client = client_of(owner("alice@example.org", plan="free").memberships.get().user)
    link = link_to("Plus", text(client.get("/pricing/")))
    assert link == "/billing/plans/?plan=plus&interval=month"
    assert "Your choice: Plus" in text(client.get(link))


@pytest.mark.django_db
def test_the_plan_that_one_has_is_called_so() -> None:
    client = client_of(owner("alice@example.org", plan="plus").memberships.get().user)
    page = text(client.get("/billing/plans/?plan=plus"))
    assert "This is your plan." in page
    assert "Choose a plan" in text(client.get("/billing/plans/?plan=gold"))


@pytest.mark.django_db
def test_both_pages_word_the_plans_alike() -> None:
    client = client_of(owner("alice@example.org", plan="free").memberships.get().user)
    told = re.compile(r"<li>(.*?)</li>")
    lists = [
        told.findall(" ".join(re.findall(r'id="plan-\w+".*?</ul>', text(client.get(path)))))
        for path in ("/pricing/", "/billing/plans/")
    ]
    assert lists[0] == lists[1]
    assert len(lists[0]) == 9
    assert "$0" in text(client.get("/billing/plans/"))


@pytest.mark.django_db
def test_dollars_are_written_as_the_reader_does(client: Client) -> None:
    page = text(client.get("/pricing/", HTTP_ACCEPT_LANGUAGE="de"))
    assert "0,025 $ im Monat" in page
    assert "$0" not in page
