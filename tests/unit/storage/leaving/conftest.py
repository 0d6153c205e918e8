"""Alice's account with all that can be in one: a vault with copies, members, systems, programs."""

from collections.abc import Iterator

import pytest
from allauth.account.models import EmailAddress
from allauth.usersessions.models import UserSession
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.contenttypes.models import ContentType
from django.utils import timezone

from accounts import audit
from accounts.access import Seat
from accounts.audit import SERVICE, Actor
from accounts.closing.actions import close
from accounts.members import invitations
from accounts.models import Account, BouncingAddress, Closing, Membership, User
from accounts.notifications import endpoints
from accounts.staff.notes import add_note
from accounts.tokens import tokens
from accounts.topics import Topic
from storage.database import elapsed_time
from storage.models import Vault
from storage.replication import replicator
from storage.vaults import credentials
from storage.vaults.enrolment import enrol_device
from tests.support.storage.leaving import MONTH
from tests.support.storage.older import passed
from tests.unit.storage.conftest import Caller, sealed, sha

WORDS = (
    *("alice@", "alison@", "anna@", "Alice Liddell", "Wonderland", "Cheshire", "2001:db8::7"),
    *("hatter.example", "tea-party", "Mozilla/5.0 (Looking-Glass)"),
)


@pytest.fixture
def alice(account: Account) -> User:
    """The owner, as she is known in many tables."""
    user = account.memberships.get().user
    User.objects.filter(pk=user.pk).update(name="Alice Liddell")
    user.refresh_from_db()
    for email in ("alice@example.org", "alison@example.org"):
        EmailAddress.objects.create(user=user, email=email, verified=True)
    UserSession.objects.create(
        user=user, ip="2001:db8::7", session_key="k", user_agent="Mozilla/5.0 (Looking-Glass)"
    )
    BouncingAddress.objects.create(email="alison@example.org", reason="bounced")
    LogEntry.objects.create(
        user=User.objects.create_user("sam@example.org", is_staff=True),
        content_type=ContentType.objects.get_for_model(User),
        object_id=str(user.pk),
        object_repr="alice@example.org",
        action_flag=CHANGE,
        action_time=timezone.now(),
    )
    return user


@pytest.fixture
def full(account: Account, alice: User) -> Caller:
    """A credential of the account's vault, which was set up and backed up to, in both regions."""
    Account.objects.filter(pk=account.pk).update(name="Wonderland")
    account.refresh_from_db()
    actor = Actor.person(alice, address="2001:db8::7")
    add_note(account, text="Alice Liddell called from Wonderland", actor=SERVICE)
    enrolled = enrol_device(account, name="Cheshire", actor=actor)
    made = credentials.create(
        enrolled.vault, scope="backup", actor=actor, with_setup=True, label="Cheshire"
    )
    caller = Caller(made.credential, made.secret, enrolled.vault)
    back_up(caller)
    seat = Seat(Membership.objects.get(account=account, user=alice))
    anna = invitations.invite(seat, email="anna@example.org", role="member", actor=actor)
    user = User.objects.create_user("anna@example.org")
    invitations.accept(
        anna.invitation, user, confirmed=["anna@example.org"], actor=Actor.person(user)
    )
    invitations.invite(seat, email="anna@elsewhere.example", role="admin", actor=actor)
    endpoints.add(
        account,
        kind="webhook",
        chosen=endpoints.Settings("tea-party", "https://hatter.example/hook", [Topic.BACKUPS]),
        actor=actor,
    )
    tokens.create(seat.membership, scope="read", label="tea-party", actor=actor)
    audit.record(actor, "sign-in.new-browser", "alice@example.org", account=account, browser="x")
    audit.record(actor, "sign-in.password", "alice@example.org")
    return caller


def back_up(caller: Caller) -> None:
    """Set a vault up and make a snapshot in it, with all copies."""
    assert caller.post("config", sealed(b"config")).status_code == 200
    for kind in ("keys", "data", "index", "snapshots"):
        content = sealed(kind.encode() + caller.vault.public_id.encode())
        assert caller.post(f"{kind}/{sha(content)}", content).status_code == 200
    replicator.replicate_due()


@pytest.fixture
def closed(account: Account, full: Caller) -> Closing:
    """It was closed by its owner just now."""
    elapsed_time.observe()
    return close(account, reason=Closing.Reason.OWNER, actor=SERVICE)


@pytest.fixture
def over(closed: Closing) -> Iterator[Closing]:
    """The cooling-off is over, and was seen to pass."""
    with passed(MONTH):
        yield closed


def vault_of(account: Account) -> Vault:
    return Vault.objects.get(account=account)
