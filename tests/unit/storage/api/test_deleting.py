"""A vault that is being deleted tells every reader so: nothing seems not to be there."""

import pytest

from accounts.audit import SERVICE
from storage.deletion import whole_vaults
from storage.models import Vault, VaultEvent
from storage.rewind import kept_vaults
from tests.unit.storage.api.test_session import call
from tests.unit.storage.conftest import Caller, sealed, sha, some

pytestmark = pytest.mark.django_db
PACK = some()
SAID = "This vault is being deleted, as was asked on its page, which can also keep it"


@pytest.fixture
def going(setup: Caller) -> Caller:
    """A vault with everything in it, all of it removed for the wish."""
    assert setup.post("config", sealed(b"config")).status_code == 200
    for kind, content in (("keys", sealed(b"key")), ("data", PACK), ("snapshots", sealed(b"one"))):
        assert setup.put(content, kind).status_code == 200
    whole_vaults.ask(setup.vault, actor=SERVICE)
    whole_vaults.remove_due(seconds=10)
    return setup


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("path", ["config", "keys/", "locks/", "data/", f"data/{sha(PACK)}"])
def test_every_reading_says_so(going: Caller, method: str, path: str) -> None:
    response = going.client.generic(method, going.url(path))
    assert response.status_code == 403  # which no restic tries again
    assert response.reason_phrase.startswith(SAID)
    assert response.headers["Nightsafe-Refusal"] == "deleting"
    assert (SAID in response.content.decode()) == (method == "GET")


@pytest.mark.parametrize("what", ["begin", "uploads", "downloads"])
def test_the_agent_is_told_too(going: Caller, what: str) -> None:
    status, answer = call(going, what, {})
    assert (status, answer["code"]) == (403, "deleting")
    assert SAID in answer["message"]


def test_what_was_refused_so_is_forgotten_when_it_is_kept(going: Caller) -> None:
    going.put(some(), "snapshots")
    assert VaultEvent.objects.filter(kind=VaultEvent.Kind.REFUSAL).exists()
    kept_vaults.keep(going.vault, actor=SERVICE)
    assert Vault.objects.get(pk=going.vault.pk).refused_at is None
