"""A run of removals is one event; one that takes everything is never green."""

import itertools
from datetime import timedelta

import pytest

from accounts.audit import SERVICE
from accounts.models import AuditEvent
from backup_service import clock
from billing.models import Plan
from storage.events import removals, wipes
from storage.events.wipes import is_wipe
from storage.models import Vault, VaultEvent
from storage.vault_status.overview import overview
from storage.vault_status.protection import Standing
from tests.unit.storage.conftest import Caller, caller, sha, some

pytestmark = pytest.mark.django_db
Kind = VaultEvent.Kind


@pytest.fixture
def snapshots(setup: Caller) -> list[str]:
    """Four snapshots in a vault that is set up."""
    setup.post("config", some(100))
    contents = [some(100) for _ in range(4)]
    for content in contents:
        setup.put(content, "snapshots")
    return [f"snapshots/{sha(content)}" for content in contents]


def events(vault: Vault) -> list[VaultEvent]:
    return list(VaultEvent.objects.filter(vault=vault, kind__in=VaultEvent.REMOVALS).order_by("pk"))


def standing(vault: Vault) -> Standing:
    plan = Plan.objects.get(slug="personal")
    (shown,) = overview([Vault.objects.get(pk=vault.pk)], plan)
    return shown.protection.standing


def test_a_run_is_one_event_and_one_audit_row(
    setup: Caller, maintain: Caller, vault: Vault, snapshots: list[str]
) -> None:
    pack = some(5000)
    setup.put(pack)
    maintain.delete(snapshots[0])
    maintain.delete(snapshots[0])  # again, which removes nothing
    maintain.delete(snapshots[1])
    maintain.delete(f"data/{sha(pack)}")
    (event,) = events(vault)
    assert (event.kind, event.count, event.snapshots, event.bytes) == (Kind.REMOVAL, 3, 2, 5200)
    assert removals.close_ended() == 0
    with clock.travelled(timedelta(minutes=6)):
        assert removals.close_ended() == 1
        assert removals.close_ended() == 0
    row = AuditEvent.objects.get(verb="vault.remove")
    assert (row.actor_kind, row.credential) == ("credential", maintain.credential.prefix)
    assert row.account == vault.account
    assert (row.detail["snapshots"], row.detail["objects"], row.detail["bytes"]) == (2, 3, 5200)
    maintain.delete(snapshots[2])
    assert [one.count for one in events(vault)] == [3, 1]


def test_two_credentials_are_two_runs(maintain: Caller, vault: Vault, snapshots: list[str]) -> None:
    maintain.delete(snapshots[0])
    caller(vault, "maintain").delete(snapshots[1])
    assert [one.count for one in events(vault)] == [1, 1]


def test_everything_removed(maintain: Caller, vault: Vault, snapshots: list[str]) -> None:
    for name in snapshots[:2]:
        maintain.delete(name)
    assert [one.kind for one in events(vault)] == [Kind.REMOVAL]
    maintain.delete(snapshots[2])
    (event,) = events(vault)
    assert event.kind == Kind.WIPE
    assert standing(vault) is Standing.AT_RISK
    maintain.delete(snapshots[3])
    assert [(one.kind, one.snapshots) for one in events(vault)] == [(Kind.WIPE, 4)]


def test_a_new_backup_does_not_make_it_green(
    setup: Caller, maintain: Caller, vault: Vault, snapshots: list[str]
) -> None:
    for name in snapshots[:3]:
        maintain.delete(name)
    for _ in range(5):
        setup.put(some(100), "snapshots")
    assert standing(vault) is Standing.AT_RISK
    assert wipes.acknowledge(vault, actor=SERVICE)
    assert not wipes.acknowledge(vault, actor=SERVICE)
    assert AuditEvent.objects.filter(verb="vault.accept-removal").count() == 1
    assert standing(vault) is not Standing.AT_RISK or "one copy" in str(vault)


def test_slowly_is_no_other_way(maintain: Caller, vault: Vault, snapshots: list[str]) -> None:
    for hours, name in zip(itertools.count(1), snapshots[:3], strict=False):
        with clock.travelled(timedelta(hours=10 * hours)):
            removals.close_ended()
            maintain.delete(name)
    assert [one.kind for one in events(vault)] == [Kind.REMOVAL, Kind.REMOVAL, Kind.WIPE]


def test_who_keeps_only_the_latest_is_not_alarmed(
    setup: Caller, maintain: Caller, vault: Vault
) -> None:
    setup.post("config", some(100))
    former = ""
    for day in range(5):
        with clock.travelled(timedelta(days=day)):
            content = some(100)
            setup.put(content, "snapshots")
            if former:
                maintain.delete(former)
            removals.close_ended()
            former = f"snapshots/{sha(content)}"
    assert {one.kind for one in events(vault)} == {Kind.REMOVAL}


def test_a_removal_that_was_accepted_is_not_compared_with_again(
    setup: Caller, maintain: Caller, vault: Vault, snapshots: list[str]
) -> None:
    for name in snapshots[:3]:
        maintain.delete(name)
    with clock.travelled(timedelta(hours=1)):
        removals.close_ended()
        wipes.acknowledge(vault, actor=SERVICE)
    with clock.travelled(timedelta(hours=2)):
        setup.put(some(100), "snapshots")
        maintain.delete(snapshots[3])
    assert [one.kind for one in events(vault)] == [Kind.WIPE, Kind.REMOVAL]


@pytest.mark.parametrize(
    ("left", "before", "expected"),
    [
        (0, [1], True),
        (0, [0], False),
        (0, [], False),
        (1, [3], True),
        (1, [2, 1, 1], False),
        (1, [1, 3], True),
        (2, [1000], False),
    ],
)
def test_what_a_wipe_is(left: int, before: list[int], expected: bool) -> None:
    assert is_wipe(left=left, before=before) is expected
