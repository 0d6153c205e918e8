"""Quota: held, settled, released, recounted."""

import pytest
from django.db import IntegrityError, transaction
from hypothesis import given
from hypothesis import strategies as st

from billing.models import Plan
from storage import quota
from storage.models import Reservation, Usage
from tests.storage.conftest import sha, some

pytestmark = pytest.mark.django_db


@pytest.fixture
def small_plan(vault):
    """The account's plan has room for 10 kB."""
    Plan.objects.filter(slug="personal").update(quota_bytes=10_000)
    return vault


def test_the_cap_is_met_exactly(small_plan, backup):
    assert backup.put(some(6000)).status_code == 200
    assert backup.put(some(4000)).status_code == 200
    response = backup.put(some(1))
    assert response.status_code == 507
    assert b"Over quota" in response.content
    assert b"restores work" in response.content


def test_restores_go_on_over_quota(small_plan, backup):
    content = some(10_000)
    backup.put(content)
    Plan.objects.filter(slug="personal").update(quota_bytes=1)
    assert backup.fetch(f"data/{sha(content)}") == content
    assert backup.put(content).status_code == 200


def test_a_refused_upload_frees_what_it_held(small_plan, backup):
    backup.post(f"data/{'a' * 64}", some(9000))
    assert backup.put(some(9000)).status_code == 200
    assert not Reservation.objects.exists()


def test_tombstones_count_only_beyond_the_quota(small_plan, backup, maintain):
    content = some(8000)
    backup.put(content)
    maintain.delete(f"data/{sha(content)}")
    usage = Usage.objects.get(account=small_plan.account)
    assert (usage.live_bytes, usage.tombstoned_bytes) == (0, 8000)
    assert usage.charged(10_000) == 0
    assert backup.put(some(10_000)).status_code == 200


def test_upkeep_may_overdraw(small_plan, backup, maintain):
    backup.put(some(10_000))
    assert backup.put(some(5000)).status_code == 507
    assert maintain.put(some(5000)).status_code == 200


@given(quota_bytes=st.integers(0, 10**13))
def test_the_overdraft_is_a_tenth_or_a_gigabyte(quota_bytes):
    allowance = quota.Allowance.for_upkeep(quota_bytes)
    assert allowance.overdraw == max(quota_bytes // 10, 10**9) or quota_bytes > 10**10


def test_recount_finds_and_mends(small_plan, backup):
    backup.put(some(3000))
    Usage.objects.update(live_bytes=1, tombstoned_bytes=2)
    found = quota.recount(small_plan.account, mend=True)
    assert (found.booked, found.counted) == ((1, 2, 0), (3000, 0, 0))
    assert quota.recount(small_plan.account, mend=False).agrees


def test_the_figures_never_go_below_zero(small_plan):
    with pytest.raises(IntegrityError), transaction.atomic():
        quota.book(small_plan.account_id, live=-1)
