"""Who may set a vault up: any credential that may write, until somebody has; and nobody else."""

from datetime import timedelta

import pytest

from accounts.audit import SERVICE
from accounts.models import Account
from backup_service import clock
from storage.models import Vault
from storage.vaults import credentials
from storage.vaults.enrolment import create_vault
from tests.unit.storage.conftest import Caller, caller, sealed

pytestmark = pytest.mark.django_db


def set_up(who: Caller) -> list[int]:
    """As restic and the agent do: leftovers away, a key, then the config."""
    return [
        who.client.post(who.url("") + "?create=true").status_code,
        who.put(sealed(b"a sealed key"), "keys").status_code,
        who.post("config", sealed(b"sealed")).status_code,
    ]


@pytest.mark.parametrize("scope", ["backup", "maintain"])
@pytest.mark.parametrize("hours", [0, 2, 24 * 400])
def test_another_credential_of_a_new_vault_may(
    setup: Caller, vault: Vault, scope: str, hours: int
) -> None:
    credentials.revoke(setup.credential, actor=SERVICE)
    with clock.travelled(timedelta(hours=hours)):
        assert set_up(caller(vault, scope)) == [200, 200, 200]


def test_what_a_broken_set_up_left_is_discarded(setup: Caller, vault: Vault) -> None:
    setup.put(sealed(b"half a set-up"), "keys")
    another = caller(vault, "backup")
    assert set_up(another) == [200, 200, 200]
    assert len(another.names("keys")) == 1


def test_not_once_it_is_set_up(setup: Caller, vault: Vault) -> None:
    assert set_up(setup) == [200, 200, 200]
    another = caller(vault, "maintain")
    assert another.put(sealed(b"another key"), "keys").status_code == 403
    assert another.post("config", sealed(b"other")).status_code == 403
    assert another.client.post(another.url("") + "?create=true").status_code == 403
    assert setup.put(sealed(b"another key"), "keys").status_code == 200  # within its hour
    with clock.travelled(timedelta(hours=1, seconds=1)):
        assert setup.put(sealed(b"a third key"), "keys").status_code == 403


def test_not_once_there_is_a_snapshot(setup: Caller, vault: Vault) -> None:
    setup.put(sealed(b"a snapshot"), "snapshots")
    assert caller(vault, "backup").put(sealed(b"a key"), "keys").status_code == 403


@pytest.mark.parametrize("is_first", [True, False])
def test_a_restore_credential_never_may(account: Account, vault: Vault, is_first: bool) -> None:
    if is_first:
        made = create_vault(account, name="to read", actor=SERVICE, scope="restore")
        who = Caller(made.first.credential, made.first.secret, made.vault)
    else:
        who = caller(vault, "restore", with_setup=True)
    assert set_up(who) == [403, 403, 403]
    assert who.delete(f"keys/{'a' * 64}").status_code == 403
    assert Vault.objects.get(pk=who.vault.pk).is_new


def test_a_lost_config_is_no_new_vault(setup: Caller, vault: Vault) -> None:
    set_up(setup)
    vault.refresh_from_db()
    assert not vault.is_new
    assert caller(vault, "backup").post("config", sealed(b"other")).status_code == 403
