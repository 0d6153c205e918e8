"""Rights are asked again when an upload goes on record: what began while it was allowed, and ends
when it is not, stores nothing."""

import io
from collections.abc import Callable
from datetime import timedelta

import pytest
from _pytest.mark.structures import ParameterSet

from accounts.audit import SERVICE
from accounts.models import Account
from backup_service import clock
from billing.models import Plan, Subscription
from storage.body import HashedBody
from storage.deletion import sweep
from storage.errors import RefusedError
from storage.models import Attempt, Credential, Region, StoredObject, Usage, Vault
from storage.object_names import CONFIG, ObjectName, ObjectType
from storage.objects import commit
from storage.stores.registry import store_of
from storage.uploads import ingest
from storage.vaults import credentials, quota
from tests.unit.storage.conftest import Caller, access_of, sealed, sha, some

pytestmark = pytest.mark.django_db
Action = Callable[[Caller], object]


def of_credential(**fields: object) -> Action:
    return lambda who: Credential.objects.filter(pk=who.credential.pk).update(**fields)


def of_account(**fields: object) -> Action:
    return lambda who: Account.objects.filter(pk=who.vault.account_id).update(**fields)


def of_plan(**fields: object) -> Action:
    return lambda who: Plan.objects.filter(slug="personal").update(**fields)


def unpaid(days: int) -> Action:
    since = clock.now() - timedelta(days=days)
    return lambda who: Subscription.objects.update(unpaid_since=since)


def past_snapshot(who: Caller) -> None:
    who.put(sealed(b"the first snapshot"), "snapshots")


def past_setup(who: Caller) -> None:
    who.post("config", sealed(b"sealed"))
    of_credential(setup_until=clock.now() - timedelta(hours=1))(who)


FOR_ALL: dict[str, tuple[Action, int]] = {
    "revoked": (lambda who: credentials.revoke(who.credential, actor=SERVICE), 401),
    "account frozen": (of_account(state=Account.State.FROZEN), 403),
    "payment overdue": (unpaid(20), 403),
    "unpaid for long": (unpaid(95), 403),
    "vault read-only": (lambda who: Vault.objects.update(state="read-only"), 403),
    "a far smaller plan": (of_plan(quota_bytes=-(10**10)), 507),
}
FOR_SOME = {
    "scope taken": (of_credential(scope="restore"), 403, ["data", "index", "snapshots"]),
    "set-up ended": (past_setup, 403, ["keys"]),
    "first snapshot": (past_snapshot, 403, ["keys", "config"]),
}


def cases() -> list[ParameterSet]:
    every = ["data", "index", "snapshots", "keys", "config"]
    named = [(what, action, code, every) for what, (action, code) in FOR_ALL.items()]
    named += [(what, *rest) for what, rest in FOR_SOME.items()]
    return [
        pytest.param(kind, action, code, id=f"{what}: {kind}")
        for what, action, code, kinds in named
        for kind in kinds
    ]


def name_of(kind: str, content: bytes) -> ObjectName:
    return CONFIG if kind == "config" else ObjectName(ObjectType(kind), sha(content))


class SlowBody(io.BytesIO):
    """A body in whose middle something happens."""

    def __init__(self, content: bytes, action: Callable[[], object]) -> None:
        super().__init__(content)
        self._action: Callable[[], object] | None = action

    def read(self, size: int | None = -1, /) -> bytes:
        if self._action is not None:
            action, self._action = self._action, None
            action()
        return super().read(size)


def send(who: Caller, name: ObjectName, content: bytes, action: Action) -> None:
    stream = SlowBody(content, lambda: action(who))
    body = HashedBody(stream, size=len(content), sha256=name.expected_sha256)
    ingest.deposit(access_of(who), name, body)


def stored(name: ObjectName) -> bool:
    obj = StoredObject.objects.filter(type=name.type, name=name.name, state="live")
    return obj.exists()


def is_in_order(who: Caller) -> bool:
    """Whether the books are right, and nothing is held or lies about once it is swept."""
    sweep.sweep(doomed_before=clock.now() + timedelta(days=1))
    kept = set(Attempt.objects.filter(state="stored").values_list("pk", flat=True))
    lying = {key.attempt for r in Region.objects.all() for key, _ in store_of(r).list_keys()}
    usage = Usage.objects.get(account=who.vault.account)
    agrees = quota.recount(who.vault.account, mend=False).agrees
    return agrees and usage.reserved_bytes == 0 and lying == kept


@pytest.mark.parametrize(("kind", "action", "status"), cases())
def test_through_the_gateway(setup: Caller, kind: str, action: Action, status: int) -> None:
    content = some(9000)
    name = name_of(kind, content)
    with pytest.raises(RefusedError) as refused:
        send(setup, name, content, action)
    assert refused.value.data_status == status
    assert not stored(name)
    assert is_in_order(setup)


@pytest.mark.parametrize("kind", ["data", "keys", "config"])
def test_what_is_still_allowed_is_stored(setup: Caller, kind: str) -> None:
    content = some(9000)
    send(setup, name_of(kind, content), content, lambda who: None)
    assert stored(name_of(kind, content))
    assert is_in_order(setup)


@pytest.mark.parametrize("kind", ["data", "snapshots"])
@pytest.mark.parametrize("what", FOR_ALL)
def test_what_was_removed_does_not_come_back(
    setup: Caller, maintain: Caller, kind: str, what: str
) -> None:
    action, status = FOR_ALL[what]
    content = some(9000)
    setup.put(content, kind)
    maintain.delete(f"{kind}/{sha(content)}")
    with pytest.raises(RefusedError) as refused:
        send(setup, name_of(kind, content), content, action)
    assert refused.value.data_status == status
    assert not stored(name_of(kind, content))
    assert is_in_order(setup)


@pytest.mark.parametrize("what", ["revoked", "account frozen", "payment overdue"])
def test_a_repeat_of_what_is_there_is_refused_too(setup: Caller, what: str) -> None:
    action, status = FOR_ALL[what]
    content = some(9000)
    setup.put(content)
    with pytest.raises(RefusedError) as refused:
        send(setup, name_of("data", content), content, action)
    assert refused.value.data_status == status


def test_the_end_of_a_window_for_keys(setup: Caller, backup: Caller) -> None:
    past_snapshot(setup)
    until = clock.now() + timedelta(minutes=10)
    of_credential(keys_until=until)(backup)
    backup.credential.refresh_from_db()
    key = name_of("keys", sealed(b"a new key"))
    with pytest.raises(RefusedError, match="can no longer be written"):
        send(backup, key, sealed(b"a new key"), of_credential(keys_until=clock.now()))
    assert not stored(key)
    of_credential(keys_until=until)(backup)
    send(backup, key, sealed(b"a new key"), lambda who: None)
    assert stored(key)


@pytest.mark.parametrize("what", FOR_ALL)
@pytest.mark.parametrize("kind", ["data", "index"])
def test_in_a_batch_of_direct_transfers(backup: Caller, what: str, kind: str) -> None:
    """As the control API puts them on record; that it asks is shown with a real store."""
    action, status = FOR_ALL[what]
    content = some(9000)
    name, access = name_of(kind, content), access_of(backup)
    region = Region.objects.get(alias="a")
    attempt = ingest.begin(access, name, region=region, size=len(content))
    Attempt.objects.filter(pk=attempt.pk).update(size=len(content))
    store_of(region).put(attempt.key, io.BytesIO(content), len(content))
    action(backup)
    with pytest.raises(RefusedError) as refused:
        commit.commit(access, [commit.Arrival(attempt, len(content), name.name)])
    assert refused.value.data_status == status
    assert not stored(name)
    Attempt.objects.update(state="doomed")
    assert is_in_order(backup)


def test_an_upload_that_was_reserved_may_finish_at_the_cap(backup: Caller) -> None:
    """What it needs was held for it, whatever was stored beside it meanwhile."""
    of_plan(quota_bytes=20_000)(backup)
    content, beside = some(9000), some(11_000)
    send(backup, name_of("data", content), content, lambda who: who.put(beside))
    assert stored(name_of("data", content))
    assert stored(name_of("data", beside))


def test_a_credential_that_is_revoked_ends_with_its_vault_locked(
    backup: Caller, maintain: Caller
) -> None:
    """Who asks at commit and who revokes wait for each other at the vault's row."""
    credentials.revoke(backup.credential, actor=SERVICE)
    with pytest.raises(RefusedError, match="revoked"):
        access_of(backup).renewed()
    assert access_of(maintain).renewed().credential == maintain.credential
