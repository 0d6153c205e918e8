"""A cast and a way to speak to the gateway without a socket."""

import base64
import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from pytest_django import Settings

from accounts.actions import open_account
from accounts.audit import SERVICE
from accounts.models import Account, User
from billing.actions import entitlements_of, subscribe
from storage.downloads import read
from storage.events.refusals import refusals
from storage.models import Credential, Region, Replica, StoredObject, Vault
from storage.object_names import ObjectName, ObjectType, parse_name
from storage.objects import placement
from storage.replication import replicator
from storage.stores.filesystem import layout
from storage.stores.filesystem.store import FilesystemStore
from storage.stores.registry import store_of
from storage.vaults import credentials
from storage.vaults.access import Access
from storage.vaults.enrolment import create_vault
from tests.support.responses import Response
from tests.support.storage.buckets import buckets, front, proxy, seaweed

__all__ = ["buckets", "front", "proxy", "seaweed"]


@pytest.fixture(autouse=True)
def _no_memory() -> None:
    """What one test read, or which region failed it, is forgotten before the next."""
    placement.failed.clear()
    replicator.resting.clear()
    read.rereads.clear()
    refusals.clear()


def sha(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


@dataclass
class Caller:
    """One credential, and what it says to the gateway."""

    credential: Credential
    secret: str
    vault: Vault

    def __post_init__(self) -> None:
        pair = f"{self.credential.prefix}:{self.secret}".encode()
        self.client = Client(headers={"authorization": "Basic " + base64.b64encode(pair).decode()})

    def url(self, path: str) -> str:
        return f"/restic/{self.vault.public_id}/{path}"

    def post(self, path: str, content: bytes = b"", **kwargs: Any) -> Response:
        kwargs.setdefault("CONTENT_LENGTH", str(len(content)))
        return self.client.post(
            self.url(path), content, content_type="application/octet-stream", **kwargs
        )

    def put(self, content: bytes, kind: str = "data") -> Response:
        return self.post(f"{kind}/{sha(content)}", content)

    def get(self, path: str, **kwargs: Any) -> Response:
        return self.client.get(self.url(path), **kwargs)

    def fetch(self, path: str, **kwargs: Any) -> bytes:
        response = self.get(path, **kwargs)
        assert response.status_code in (200, 206), response.content
        return response.getvalue()

    def delete(self, path: str) -> Response:
        return self.client.delete(self.url(path))

    def names(self, kind: str) -> list[str]:
        return self.get(f"{kind}/").json()

    def state_of(self, obj: StoredObject) -> str:
        return StoredObject.objects.get(pk=obj.pk).state

    def stored_object(self, content: bytes, kind: str = "data") -> StoredObject:
        return StoredObject.objects.get(vault=self.vault, type=kind, name=sha(content))


@pytest.fixture(autouse=True)
def gateway(settings: Settings) -> None:
    """Requests go to the gateway's addresses, with its middleware."""
    settings.ROOT_URLCONF = "backup_service.gateway_urls"
    settings.MIDDLEWARE = settings.GATEWAY_MIDDLEWARE


def person(email: str, plan: str = "personal") -> Account:
    account = open_account(User.objects.create_user(email))
    subscribe(account, plan=plan, actor=SERVICE)
    return account


@pytest.fixture
def account(regions: list[Region]) -> Account:
    return person("alice@example.org")


@pytest.fixture
def vault(account: Account) -> Vault:
    return create_vault(account, name="laptop", actor=SERVICE).vault


def caller(vault: Vault, scope: str, *, with_setup: bool = False) -> Caller:
    made = credentials.create(vault, scope=scope, actor=SERVICE, with_setup=with_setup)
    return Caller(made.credential, made.secret, vault)


@pytest.fixture
def backup(vault: Vault) -> Caller:
    return caller(vault, "backup")


@pytest.fixture
def setup(vault: Vault) -> Caller:
    return caller(vault, "backup", with_setup=True)


@pytest.fixture
def maintain(vault: Vault) -> Caller:
    return caller(vault, "maintain")


@pytest.fixture
def restore(vault: Vault) -> Caller:
    return caller(vault, "restore")


@pytest.fixture
def bob(regions: list[Region]) -> Caller:
    """Somebody else's credential at somebody else's vault."""
    other = create_vault(person("bob@example.org"), name="laptop", actor=SERVICE).vault
    return caller(other, "maintain")


def access_of(caller: Caller) -> Access:
    """What the door of the storage lets a credential do."""
    return Access(caller.credential, caller.vault, entitlements_of(caller.vault.account))


def damage(replica: Replica, content: bytes = b"decayed") -> Path:
    """Change a replica's bytes on its disk, as a failing drive would; return the file."""
    path = path_of(replica)
    path.write_bytes(content)
    return path


def path_of(replica: Replica) -> Path:
    """Return the file that holds a replica."""
    store = store_of(replica.region)
    assert isinstance(store, FilesystemStore)
    assert replica.attempt is not None
    return layout.path_of(store.root, replica.attempt.key)


def some(size: int = 1000) -> bytes:
    """Random bytes, enough of them that no two calls ever return the same."""
    assert size >= 8, "so few random bytes may come twice"
    return os.urandom(size)


def sealed(text: bytes) -> bytes:
    """Bytes as long as the smallest sealed objects are, which say what they stand for."""
    return text.ljust(48, b".")


def data_name(content: bytes) -> ObjectName:
    return parse_name(ObjectType.DATA, sha(content))
