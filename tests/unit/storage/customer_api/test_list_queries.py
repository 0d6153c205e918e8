"""Every list of the API: a page of it takes as many queries of a thousand rows as of a few."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.audit import SERVICE
from accounts.customer_api import limits
from accounts.models import Endpoint
from accounts.notifications import endpoints
from accounts.topics import Topic
from backup_service.pages.api import document
from storage.models import Region, Vault
from tests.support.customers.api import Program, program
from tests.support.customers.many_rows import fill
from tests.unit.website.conftest import enrol, owner

pytestmark = pytest.mark.django_db
MOST = 8  # queries of a page, that of the token included


def lists() -> list[str]:
    """Return the paths of all operations that take a cursor."""
    return [
        path.removeprefix("/api/v1/")
        for path, methods in document()["paths"].items()
        if any(one["name"] == "cursor" for one in methods.get("get", {}).get("parameters", []))
    ]


def queries(asks: Program, path: str) -> int:
    with CaptureQueriesContext(connection) as made:
        told = asks.get(path)
    assert told.status_code == 200, path
    assert told.json()["results"], path
    return len(made)


def test_there_are_lists() -> None:
    assert len(lists()) >= 15


def test_a_page_takes_a_fixed_number_of_queries(
    regions: list[Region], monkeypatch: pytest.MonkeyPatch
) -> None:
    # Without a broker, as here, requests are counted in the database.
    monkeypatch.setattr(limits, "count", lambda *_, **__: (1, 1))
    account = owner("alice-api@example.org")
    vault: Vault = enrol(account, "laptop").vault
    chosen = endpoints.Settings("pager", "https://example.org/hook", [Topic.BACKUPS])
    pager = endpoints.add(account, kind=Endpoint.Kind.WEBHOOK, chosen=chosen, actor=SERVICE)
    asks = program(account)
    asks.get("account/")  # the token's first use of a minute is noted
    filled = {"vault_id": vault.public_id, "endpoint_id": pager.public_id}
    paths = [path.format(**filled) for path in lists()]
    fill(vault, pager, range(3), snapshots=range(3))
    few = {path: queries(asks, path) for path in paths}
    assert max(few.values()) <= MOST, few
    fill(vault, pager, range(3, 1003), snapshots=range(3, 1003))
    assert {path: queries(asks, path) for path in paths} == few
