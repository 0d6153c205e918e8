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

from accounts.customer_api import limits
from accounts.models import Device
from backup_service.pages.api import document
from storage.api.described import TAG
from storage.models import Credential, Region
from tests.support.customers.api import program
from tests.unit.website.conftest import enrol, owner

pytestmark = pytest.mark.django_db
schema = schemathesis.openapi.from_dict(document()).exclude(tag=TAG)  # those answer elsewhere
schema.app = get_wsgi_application()
CHECKS = [
    not_a_server_error,
    response_schema_conformance,
    status_code_conformance,
]


@pytest.fixture
def token(regions: list[Region], monkeypatch: pytest.MonkeyPatch) -> str:
    """Of somebody who has a computer with a vault."""
    monkeypatch.setattr(limits, "REQUESTS", 10**9)
    monkeypatch.setattr(limits, "ANONYMOUS_REQUESTS", 10**9)
    account = owner("fuzz@example.org")
    enrol(account, "laptop")
    return program(account).token


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
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_nothing_breaks(case: schemathesis.Case[Any], token: str) -> None:
    known = {
        "vault_id": Credential.objects.earliest("pk").vault.public_id,
        "device_id": Device.objects.earliest("pk").public_id,
        "username": Credential.objects.earliest("pk").prefix,
    }
    for name, value in known.items():
        if name in (case.path_parameters or {}):
            case.path_parameters[name] = value
    headers = {"Authorization": f"Bearer {token}"}
    case.call_and_validate(headers=headers, checks=CHECKS)
