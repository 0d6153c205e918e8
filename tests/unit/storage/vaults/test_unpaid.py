"""What the gateway still does for whoever has not paid, or has closed the account."""

from datetime import timedelta

import pytest

from accounts.models import Account
from backup_service import clock
from billing.models import Subscription
from storage.models import Vault
from tests.unit.storage.conftest import Caller, sealed, sha, some

pytestmark = pytest.mark.django_db


def statuses(backup: Caller, maintain: Caller, content: bytes) -> tuple[int, int, int]:
    """What an upload, a removal and a download are answered."""
    return (
        backup.put(some()).status_code,
        maintain.delete(f"data/{sha(content)}").status_code,
        backup.get(f"data/{sha(content)}").status_code,
    )


@pytest.mark.parametrize(
    ("day", "expected"),
    [
        (0, (200, 200, 404)),
        (14, (200, 200, 404)),
        (15, (403, 200, 404)),
        (60, (403, 200, 404)),
        (61, (403, 403, 200)),
        (90, (403, 403, 200)),
        (91, (403, 403, 403)),
    ],
)
def test_the_ladder(
    backup: Caller, maintain: Caller, vault: Vault, day: int, expected: tuple[int, int, int]
) -> None:
    content = some()
    backup.put(content)
    Subscription.objects.filter(account=vault.account_id).update(unpaid_since=clock.now())
    with clock.travelled(timedelta(days=day, hours=1)):
        assert statuses(backup, maintain, content) == expected


def test_a_frozen_account_keeps_everything(backup: Caller, maintain: Caller, vault: Vault) -> None:
    content = some()
    backup.put(content)
    Account.objects.filter(pk=vault.account_id).update(state="frozen")
    assert statuses(backup, maintain, content) == (403, 403, 200)
    refusal = maintain.delete(f"data/{sha(content)}")
    assert b"restores still work" in refusal.content
    assert backup.put(sealed(b"a lock"), "locks").status_code == 200
    assert backup.delete(f"locks/{sha(sealed(b'a lock'))}").status_code == 200
