"""What plans cost comes from their rows."""

import pytest
from django.urls import NoReverseMatch, reverse

from backup_service.pages.pricing import prices
from billing.models import Plan
from tests.support.pages import Client, text


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
