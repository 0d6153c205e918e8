"""The start page: figures of the service for whoever may see them, each leading to its list."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.models import Account
from backup_service import clock
from billing.models import Plan, Subscription
from storage.models import Alarm, Replica, Usage
from storage.vaults.enrolment import Enrolled
from tests.support.pages import Client, read, text
from tests.unit.website.conftest import back_up, owner
from tests.unit.website.staff.test_account_page import refuse

pytestmark = pytest.mark.django_db


def figures(client: Client) -> dict[str, tuple[str, str, bool]]:
    shown = client.get("/admin/").context["figures"]
    return {figure.label: (figure.value, figure.note, figure.is_bad) for figure in shown}


def test_a_calm_service(sam: Client) -> None:
    assert figures(sam) == {
        "New accounts today": ("0", "0 in 7 days, 0 in 30", False),
        "Revenue a month": ("$0", "0 subscriptions, at list prices", False),
        "Payments that fail": ("0", "everybody has paid", False),
        "Stored": ("0\u00a0B", "and 0\u00a0B removed but kept", False),
        "Alarms": ("0", "nothing is wrong", False),
        "Vaults refused in 24 hours": ("0", "0 requests", False),
        "Oldest waiting replica": ("none", "every copy is made", False),
    }


def test_a_service_with_troubles(sam: Client, account: Account, laptop: Enrolled) -> None:
    back_up(laptop, copied=False)
    refuse(laptop, 507, "full")
    Usage.objects.update(live_bytes=5_000_000, tombstoned_bytes=2_000)
    Replica.objects.filter(state="pending").update(since=clock.now() - timedelta(hours=3))
    Alarm.objects.create(key="x", text="Region b is away", advice="Look at it")
    Account.objects.update(created_at=clock.now() - timedelta(days=3))
    owner("bob@example.org")
    paid = {"stripe_subscription": "sub_1", "stripe_status": "active"}
    Subscription.objects.filter(account=account).update(interval="month", **paid)
    Subscription.objects.exclude(account=account).update(
        plan=Plan.objects.get(slug="plus"),
        interval="year",
        unpaid_since=clock.now(),
        **paid | {"stripe_status": "past_due"},
    )
    assert figures(sam) == {
        "New accounts today": ("1", "2 in 7 days, 2 in 30", False),
        "Revenue a month": ("$13.33", "2 subscriptions, at list prices", False),
        "Payments that fail": ("1", "accounts owe something", True),
        "Stored": ("5\u00a0MB", "and 2\u00a0kB removed but kept", False),
        "Alarms": ("1", "open now", True),
        "Vaults refused in 24 hours": ("1", "3 requests", False),
        "Oldest waiting replica": ("3 hours ago", "since it began to wait", True),
    }
    page = text(sam.get("/admin/"))
    assert "Region b is away" in page
    assert "$8.33" in page


def test_each_figure_leads_to_its_list(sam: Client, laptop: Enrolled) -> None:
    refuse(laptop, 507, "full")
    shown = sam.get("/admin/").context["figures"]
    assert len(shown) == 7
    for figure in shown:
        assert sam.get(figure.url).status_code == 200, figure.url
    assert "laptop" in text(sam.get("/admin/storage/vaultevent/?kind__exact=refusal"))


def test_groups_see_their_own_figures(support: Client, billing: Client, operations: Client) -> None:
    assert set(figures(operations)) == {
        "Alarms",
        "Vaults refused in 24 hours",
        "Oldest waiting replica",
    }
    assert "Revenue a month" in figures(billing)
    assert "Alarms" not in figures(support)
    assert "sees accounts, vaults" in text(support.get("/admin/"))
    assert read(support.get("/admin/")).titles == 1


def test_no_figure_counts_objects_or_replicas(sam: Client, laptop: Enrolled) -> None:
    back_up(laptop)
    with CaptureQueriesContext(connection) as queries:
        sam.get("/admin/")
    sql = [query["sql"] for query in queries]
    assert len(sql) <= 17
    assert not any("storage_storedobject" in one for one in sql)
    [replicas] = [one for one in sql if "storage_replica" in one]
    assert "COUNT" not in replicas
    assert "LIMIT 200" in replicas
