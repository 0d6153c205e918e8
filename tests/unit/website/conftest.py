"""The cast: Alice owns an account, Bob another one, Charlie none, and Sam is staff."""

import hashlib
import io
import os
import time

import pytest
from allauth.account.internal.flows.login import AUTHENTICATION_METHODS_SESSION_KEY
from allauth.account.models import EmailAddress
from django.core.cache import cache
from pytest_django import Settings

from accounts.actions import open_account
from accounts.audit import SERVICE, Actor
from accounts.models import Account, User
from billing.actions import entitlements_of, subscribe
from storage.body import HashedBody
from storage.deletion import tombstones
from storage.models import Region, StoredObject, Vault
from storage.object_names import CONFIG, ObjectType, parse_name
from storage.objects import placement
from storage.replication.replicator import replicate_due
from storage.uploads import ingest
from storage.vaults import credentials
from storage.vaults.access import Access
from storage.vaults.enrolment import Enrolled, enrol_device
from tests.support.pages import Client

PASSWORD = "a slot in the wall"


@pytest.fixture(autouse=True)
def _fresh(request: pytest.FixtureRequest, settings: Settings) -> None:
    """Rate limits and remembered failures of one test do not reach the next; hashing is quick."""
    if request.node.get_closest_marker("django_db") is None:
        return
    request.getfixturevalue("db")
    cache.clear()
    placement.failed.clear()


def person(email: str, **fields: bool) -> User:
    user = User.objects.create_user(email, PASSWORD, **fields)
    EmailAddress.objects.create(user=user, email=email, primary=True, verified=True)
    return user


def owner(email: str, plan: str = "personal") -> Account:
    account = open_account(person(email))
    subscribe(account, plan=plan, actor=SERVICE)
    return account


@pytest.fixture
def client() -> Client:
    """Somebody's browser, signed in as nobody."""
    return Client()


def client_of(user: User) -> Client:
    """A browser that sends no CSRF token unless it is told to."""
    client = Client(enforce_csrf_checks=False)
    client.force_login(user, "django.contrib.auth.backends.ModelBackend")
    return client


def just_signed_in(email: str) -> Client:
    """A browser in which somebody has typed the password a moment ago."""
    client = Client()
    response = client.post("/accounts/login/", {"login": email, "password": PASSWORD})
    assert response.status_code == 302
    return client


@pytest.fixture
def account() -> Account:
    return owner("alice@example.org")


@pytest.fixture
def alice(account: Account) -> Client:
    return client_of(User.objects.get(email="alice@example.org"))


@pytest.fixture
def sure(alice: Client) -> Client:
    """Alice, who gave her password again just now."""
    return reauthenticated(alice, User.objects.get(email="alice@example.org"))


@pytest.fixture
def bob() -> Client:
    return client_of(owner("bob@example.org").memberships.get().user)


@pytest.fixture
def charlie() -> Client:
    return client_of(person("charlie@example.org"))


@pytest.fixture
def sam() -> Client:
    user = person("sam@example.org", is_staff=True, is_superuser=True)
    return with_second_factor(client_of(user), user)


def with_second_factor(client: Client, user: User) -> Client:
    """Let a signed-in browser's session say what it would after a second factor."""
    return say_of_session(client, user, method="mfa", type="totp")


def reauthenticated(client: Client, user: User) -> Client:
    """Let a signed-in browser's session say that the password was given again just now."""
    return say_of_session(client, user, method="password", reauthenticated=True)


def say_of_session(client: Client, user: User, **record: object) -> Client:
    """Add to what a session says of how somebody signed in, as allauth writes it."""
    session = client.session
    records = session.get(AUTHENTICATION_METHODS_SESSION_KEY, [])
    session[AUTHENTICATION_METHODS_SESSION_KEY] = [*records, {"at": time.time(), **record}]
    session["account_authentication_methods_user"] = str(user.pk)
    session.save()
    return client


@pytest.fixture
def laptop(account: Account, regions: list[Region]) -> Enrolled:
    """Alice's device with its empty vault."""
    return enrol(account, "laptop")


def enrol(account: Account, name: str) -> Enrolled:
    return enrol_device(account, name=name, actor=Actor.person(account.memberships.get().user))


def deposit(enrolled: Enrolled, kind: ObjectType, size: int = 1000) -> str:
    """Store an object through the real write path; return its name."""
    content = os.urandom(size)
    digest = hashlib.sha256(content).hexdigest()
    name = CONFIG if kind is ObjectType.CONFIG else parse_name(kind, digest)
    credential = enrolled.first.credential
    credential.refresh_from_db()
    vault = Vault.objects.get(pk=enrolled.vault.pk)
    access = Access(credential, vault, entitlements_of(vault.account))
    ingest.deposit(access, name, HashedBody(io.BytesIO(content), size=size, sha256=digest))
    return digest


def back_up(enrolled: Enrolled, *, copied: bool = True) -> None:
    """Make a snapshot of one pack, with its copies unless told otherwise."""
    for kind in (ObjectType.DATA, ObjectType.INDEX, ObjectType.SNAPSHOT):
        deposit(enrolled, kind)
    if copied:
        replicate_due()


def remove_all(enrolled: Enrolled) -> Vault:
    """Make three backups, and remove them all with another credential."""
    for _ in range(3):
        back_up(enrolled)
    made = credentials.create(enrolled.vault, scope="maintain", actor=SERVICE)
    vault = Vault.objects.get(pk=enrolled.vault.pk)
    access = Access(made.credential, vault, entitlements_of(vault.account))
    for kind in ("snapshots", "index", "data"):
        for one in StoredObject.objects.live().filter(vault=vault, type=kind):
            tombstones.remove(access, one.object_name)
    return vault
