"""Requests drawn from the OpenAPI document, sound ones and others: none breaks the service.

What drawing does not find is in `test_parsing.py`: NUL and half a character in JSON.
"""

from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from django.core.signals import request_finished, request_started
from django.core.wsgi import get_wsgi_application
from django.db import close_old_connections
from hypothesis import HealthCheck, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    response_schema_conformance,
    status_code_conformance,
)

from accounts.access import Seat
from accounts.audit import SERVICE
from accounts.customer_api import limits
from accounts.members import invitations
from accounts.models import ApiToken, Device, Endpoint, Invitation, Membership
from accounts.notifications import endpoints
from accounts.topics import Topic
from backup_service import clock
from backup_service.pages.api import document
from storage.api.described import TAG
from storage.models import Credential, Region, Undelete, Vault
from tests.support.customers.api import program
from tests.unit.website.conftest import enrol, owner, person

pytestmark = pytest.mark.django_db
schema = schemathesis.openapi.from_dict(document()).exclude(tag=TAG)  # those answer elsewhere
schema.app = get_wsgi_application()
EXAMPLES = 5  # of each operation, of which there are many
CHECKS = [
    not_a_server_error,
    response_schema_conformance,
    status_code_conformance,
]


@pytest.fixture
def asking(regions: list[Region], monkeypatch: pytest.MonkeyPatch) -> tuple[str, dict[str, object]]:
    """Return a token of somebody who has a vault, and one of all else that paths name."""
    monkeypatch.setattr(limits, "REQUESTS", 10**9)
    monkeypatch.setattr(limits, "ANONYMOUS_REQUESTS", 10**9)
    account = owner("fuzz@example.org")
    vault = enrol(account, "laptop").vault
    Vault.objects.update(state=Vault.State.ACTIVE)  # so that it stays
    Membership.objects.create(account=account, user=person("mia@example.org"), role="member")
    seat = Seat(account.memberships.get(role="owner"))
    invitations.invite(seat, email="new@example.org", role="member", actor=SERVICE)
    chosen = endpoints.Settings("pager", "https://example.org/hook", [Topic.BACKUPS])
    endpoints.add(account, kind=Endpoint.Kind.WEBHOOK, chosen=chosen, actor=SERVICE)
    Undelete.objects.create(
        vault=vault, actor_label="x", removed_before=clock.now(), ended_at=clock.now()
    )
    program(account, ApiToken.Scope.READ)  # which may be revoked
    known = {
        "vault_id": vault.public_id,
        "device_id": Device.objects.get().public_id,
        "username": Credential.objects.get().prefix,
        "member_id": account.memberships.get(role="member").pk,
        "invitation_id": Invitation.objects.get().pk,
        "token_prefix": ApiToken.objects.get().prefix,
        "endpoint_id": Endpoint.objects.get().public_id,
        "number": Undelete.objects.get().pk,
    }
    return program(account, ApiToken.Scope.FULL).token, known


@pytest.fixture(autouse=True)
def _one_connection(db: None) -> Iterator[None]:
    """Keep the connection whose transaction the test is, as Django's own test client does."""
    for signal in (request_started, request_finished):
        signal.disconnect(close_old_connections)
    yield
    for signal in (request_started, request_finished):
        signal.connect(close_old_connections)


@schema.parametrize()
@settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_nothing_breaks(
    case: schemathesis.Case[Any], asking: tuple[str, dict[str, object]]
) -> None:
    token, known = asking
    for name, value in known.items():
        if name in (case.path_parameters or {}):
            case.path_parameters[name] = value
    headers = {"Authorization": f"Bearer {token}"}
    case.call_and_validate(headers=headers, checks=CHECKS)
