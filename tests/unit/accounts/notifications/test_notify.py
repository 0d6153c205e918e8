"""Who is told, and that nobody is told twice."""

import pytest

from accounts.audit import SERVICE
from accounts.models import Account, Delivery, Device, Endpoint, Membership, Notice
from accounts.notifications import endpoints, preferences
from accounts.notifications import notify as notifying
from accounts.notifications.notify import notify
from accounts.topics import Topic
from tests.unit.accounts.notifications.conftest import Connect, member

pytestmark = pytest.mark.django_db
Role = Membership.Role


def addresses(notice: Notice | None) -> list[str]:
    assert notice is not None
    return list(notice.deliveries.order_by("pk").values_list("address", flat=True))


def test_it_is_told_once(account: Account) -> None:
    assert notify(account, "trial-late", key="late:1", name="laptop") is not None
    assert notify(account, "trial-late", key="late:1", name="laptop") is None
    assert notify(account, "trial-late", key="late:2", name="laptop") is not None
    assert Delivery.objects.count() == 2


def test_accounts_have_keys_of_their_own(account: Account) -> None:
    other = Account.objects.create(name="another")
    assert notify(account, "trial-late", key="late:1", name="a") is not None
    assert notify(other, "trial-late", key="late:1", name="b") is not None


def test_an_unknown_kind_is_an_error(account: Account) -> None:
    with pytest.raises(KeyError):
        notify(account, "no-such-kind", key="x")
    assert not Notice.objects.exists()


@pytest.mark.parametrize(
    ("kind", "readers"),
    [
        ("trial-late", ["alice@example.org", "admin@example.org"]),
        ("trial-payment", ["alice@example.org", "admin@example.org"]),
        ("trial-credential", ["alice@example.org", "admin@example.org"]),
    ],
)
def test_whoever_runs_the_account_is_told_by_itself(
    account: Account, kind: str, readers: list[str]
) -> None:
    member(account, "admin@example.org", Role.ADMIN)
    member(account, "member@example.org", Role.MEMBER)
    member(account, "auditor@example.org", Role.AUDITOR)
    assert addresses(notify(account, kind, key="k", name="laptop")) == readers


def test_members_choose(account: Account, owner: Membership) -> None:
    seat = member(account, "member@example.org", Role.MEMBER)
    preferences.choose(seat, backups=True, billing=True, reports="never", actor=SERVICE)
    preferences.choose(owner, backups=False, billing=False, reports="never", actor=SERVICE)
    theirs = Device.objects.create(account=account, name="x", member=seat)
    told = notify(account, "trial-late", key="a", device=theirs, name="x")
    assert addresses(told) == ["member@example.org"]
    assert addresses(notify(account, "trial-late", key="a2", name="x")) == []  # somebody else's
    assert addresses(notify(account, "trial-payment", key="b")) == []  # money is not theirs
    assert addresses(notify(account, "trial-credential", key="c")) == ["alice@example.org"]


def test_what_cannot_be_turned_off(owner: Membership) -> None:
    assert not preferences.turn_off(owner, Topic.SECURITY, actor=SERVICE)
    assert preferences.wants(owner, Topic.SECURITY)
    for topic in (Topic.BACKUPS, Topic.BILLING, Topic.REPORTS):
        assert preferences.turn_off(owner, topic, actor=SERVICE)
        owner.refresh_from_db()
        assert not preferences.wants(owner, topic)


def test_somebody_who_may_not_sign_in_is_not_told(account: Account, owner: Membership) -> None:
    owner.user.is_active = False
    owner.user.save()
    assert addresses(notify(account, "trial-late", key="a", name="x")) == []


def test_endpoints_are_told_what_they_want(account: Account, connect: Connect) -> None:
    endpoint = connect()
    late = notify(account, "trial-late", key="a", name="x")
    assert late is not None
    assert late.deliveries.filter(endpoint=endpoint).exists()
    security = notify(account, "trial-credential", key="b")
    assert security is not None
    assert not security.deliveries.exclude(endpoint=None).exists()
    endpoints.remove(endpoint, actor=SERVICE)
    gone = notify(account, "trial-late", key="c", name="x")
    assert gone is not None
    assert not gone.deliveries.exclude(endpoint=None).exists()


def test_an_account_s_queue_is_bounded(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(notifying, "MAX_WAITING", 3)
    for number in range(5):
        assert notify(account, "trial-late", key=f"late:{number}", name="x") is not None
    assert Notice.objects.count() == 5  # all are on record and on the page
    assert Delivery.objects.count() == 3


def test_nothing_pushes_security_out(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(notifying, "MAX_WAITING", 2)
    for number in range(4):
        notify(account, "trial-late", key=f"late:{number}", name="x")
    assert addresses(notify(account, "trial-credential", key="c")) == ["alice@example.org"]


def test_an_account_has_at_most_so_many_endpoints(account: Account, connect: Connect) -> None:
    for _ in range(endpoints.MAX_ENDPOINTS):
        connect()
    with pytest.raises(endpoints.TooManyEndpointsError):
        connect()
    assert Endpoint.objects.count() == endpoints.MAX_ENDPOINTS
