"""Quota: held, settled, released, recounted."""

import random
from datetime import datetime, timedelta
from importlib import import_module

import pytest
from django.apps import apps
from django.db import IntegrityError, transaction
from hypothesis import given
from hypothesis import strategies as st

from backup_service import clock
from billing.models import Plan
from storage.deletion import sweep
from storage.errors import OverQuotaError
from storage.models import Attempt, Region, Reservation, Usage, Vault
from storage.stores.registry import store_of
from storage.vaults import quota
from tests.unit.storage.conftest import Caller, sha, some

pytestmark = pytest.mark.django_db


@pytest.fixture
def small_plan(vault: Vault) -> Vault:
    """The account's plan has room for 10 kB."""
    Plan.objects.filter(slug="personal").update(quota_bytes=10_000)
    return vault


def test_the_cap_is_met_exactly(small_plan: Vault, backup: Caller) -> None:
    assert backup.put(some(5904)).status_code == 200
    assert backup.put(some(8)).status_code == 200  # which counts as 4,096
    response = backup.put(some(8))
    assert response.status_code == 507
    assert b"Over quota: 10 kB of 10 kB are used, and this upload of " in response.content
    assert b"restores work" in response.content
    assert response.reason_phrase.isascii()


def test_restores_go_on_over_quota(small_plan: Vault, backup: Caller) -> None:
    content = some(10_000)
    backup.put(content)
    Plan.objects.filter(slug="personal").update(quota_bytes=1)
    assert backup.fetch(f"data/{sha(content)}") == content
    assert backup.put(content).status_code == 200


def test_a_refused_upload_frees_what_it_held(small_plan: Vault, backup: Caller) -> None:
    backup.post(f"data/{'a' * 64}", some(9000))
    assert backup.put(some(9000)).status_code == 200
    assert not Reservation.objects.exists()


def test_tombstones_count_only_beyond_the_quota(
    small_plan: Vault, backup: Caller, maintain: Caller
) -> None:
    content = some(8000)
    backup.put(content)
    maintain.delete(f"data/{sha(content)}")
    usage = Usage.objects.get(account=small_plan.account)
    assert (usage.live_bytes, usage.tombstoned_bytes) == (0, 8000)
    assert usage.charged(10_000) == 0
    assert backup.put(some(10_000)).status_code == 200


def test_upkeep_may_overdraw(small_plan: Vault, backup: Caller, maintain: Caller) -> None:
    backup.put(some(10_000))
    assert backup.put(some(5000)).status_code == 507
    assert maintain.put(some(5000)).status_code == 200


@given(quota_bytes=st.integers(0, 10**13))
def test_the_overdraft_is_a_tenth_or_a_gigabyte(quota_bytes: int) -> None:
    allowance = quota.Allowance.for_upkeep(quota_bytes)
    assert allowance.overdraw == max(quota_bytes // 10, 10**9) or quota_bytes > 10**10


def test_recount_finds_and_mends(small_plan: Vault, backup: Caller) -> None:
    backup.put(some(3000))
    Usage.objects.update(live_bytes=1, tombstoned_bytes=2)
    found = quota.recount(small_plan.account, mend=True)
    assert (found.booked, found.counted) == ((1, 2, 0), (4096, 0, 0))
    assert quota.recount(small_plan.account, mend=False).agrees


def test_the_figures_never_go_below_zero(small_plan: Vault) -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        quota.book(small_plan.account_id, live=-1)


def lying() -> int:
    """What the bytes in the region that takes uploads cost."""
    store = store_of(Region.objects.get(alias="a"))
    return sum(quota.cost(size) for _, size in store.list_keys())


def test_deleting_and_posting_again_fills_no_disk_for_free(
    small_plan: Vault, backup: Caller, maintain: Caller
) -> None:
    content = some(9000)
    backup.put(content)
    for _ in range(5):
        maintain.delete(f"data/{sha(content)}")
        assert backup.put(content).status_code == 200
        assert lying() == 9000
    usage = Usage.objects.get(account=small_plan.account)
    assert (usage.live_bytes, usage.tombstoned_bytes, usage.reserved_bytes) == (9000, 0, 0)


def test_many_small_objects_fill_the_plan(small_plan: Vault, backup: Caller) -> None:
    """A tiny object costs rows and files, so that two of them are all that fits here."""
    assert [backup.put(some(8)).status_code for _ in range(4)] == [200, 200, 507, 507]


def test_whatever_is_done_nothing_lies_about_for_free(
    small_plan: Vault, backup: Caller, maintain: Caller, chance: random.Random
) -> None:
    """Any order of uploads, broken ones, removals and sweeps."""
    contents = [chance.randbytes(chance.choice([0, 1, 700, 4096, 4097, 9000])) for _ in range(6)]
    Plan.objects.filter(slug="personal").update(quota_bytes=40_000)
    account = small_plan.account
    for _ in range(60):
        content = chance.choice(contents)
        match chance.randrange(6):
            case 0 | 1:
                backup.put(content)
            case 2:
                maintain.put(content)
            case 3:
                maintain.delete(f"data/{sha(content)}")
            case 4:
                backup.post(f"data/{sha(content)}", content + b"x")
            case 5:
                sweep.sweep(doomed_before=chance.choice([clock.now(), _much_later()]))
        found = quota.recount(account, mend=False)
        assert found.agrees
        assert lying() <= sum(found.counted)
    sweep.sweep(doomed_before=_much_later())
    assert lying() == sum(quota.recount(account, mend=False).counted)
    assert not Reservation.objects.exists()
    assert not Attempt.objects.exclude(state="stored").exists()


def _much_later() -> datetime:
    return clock.now() + timedelta(days=1)


def test_a_smaller_plan_refuses_what_is_on_its_way(small_plan: Vault) -> None:
    account = small_plan.account
    Usage.objects.filter(account=account).update(live_bytes=9000, reserved_bytes=1000)
    quota.require_within(account, 10_000)
    quota.require_within(account, 9000)  # upkeep may overdraw, so this may be upkeep's
    Usage.objects.filter(account=account).update(live_bytes=9000 + 10**9)
    with pytest.raises(OverQuotaError, match="Over quota"):
        quota.require_within(account, 9000)


def test_what_counts() -> None:
    usage = Usage(live_bytes=5, reserved_bytes=7, tombstoned_bytes=100)
    assert (usage.charged(100), usage.charged(90), usage.charged(0)) == (12, 22, 112)
    assert [quota.cost(size) for size in (0, 4095, 4096, 4097)] == [4096, 4096, 4096, 4097]


def test_the_migration_counts_anew(small_plan: Vault, backup: Caller, maintain: Caller) -> None:
    """What was counted to the byte before counts at no less than the floor from now on."""
    contents = [some(10), some(3000), some(5000)]
    Plan.objects.filter(slug="personal").update(quota_bytes=20_000)
    for content in contents:
        backup.put(content)
    maintain.delete(f"data/{sha(contents[0])}")
    Usage.objects.update(live_bytes=8000, tombstoned_bytes=10)
    import_module("storage.migrations.0007_quota_floor").recount(apps, None)
    usage = Usage.objects.get(account=small_plan.account)
    assert (usage.live_bytes, usage.tombstoned_bytes) == (9096, 4096)
    assert quota.recount(small_plan.account, mend=False).agrees
