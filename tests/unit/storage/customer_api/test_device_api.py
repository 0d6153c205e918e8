"""What programs that speak RFC 8628 get."""

import json
from typing import Any

import pytest

from accounts.audit import SERVICE
from accounts.models import Account, Membership, User
from storage.customer_api.device import GRANT_TYPE
from storage.device_authorization import grant
from storage.models import DeviceAuthorization, Vault
from tests.support.pages import Client

pytestmark = pytest.mark.django_db
CODE, TOKEN = "/api/v1/device/code", "/api/v1/device/token"


def ask(path: str, **said: str) -> tuple[int, dict[str, Any]]:
    response = Client().post(path, said)
    assert response["Cache-Control"] == "no-store"
    return response.status_code, response.json()


def poll(code: str) -> tuple[int, dict[str, Any]]:
    return ask(TOKEN, grant_type=GRANT_TYPE, device_code=code, client_id="nightsafe")


def test_the_whole_way(account: Account, vault: Vault) -> None:
    person = User.objects.create_user("connecting@example.org")
    Membership.objects.create(account=account, user=person, role=Membership.Role.OWNER)
    status, codes = ask(CODE, client_id="nightsafe/0.1", computer="laptop")
    assert status == 200
    assert codes["verification_uri_complete"] == f"{codes['verification_uri']}#{codes['user_code']}"
    assert (codes["interval"], codes["expires_in"]) == (5, 900)
    assert poll(codes["device_code"]) == (400, {"error": "authorization_pending"})
    request = grant.find(codes["user_code"])
    assert request is not None
    assert (request.computer, request.program) == ("laptop", "nightsafe/0.1")
    assert request.address == "127.0.0.1"
    grant.approve(request, vault, scope="backup", by=person, actor=SERVICE)
    status, token = poll(codes["device_code"])
    assert status == 200
    assert token["repository"] == vault.url
    assert (token["token_type"], token["scope"]) == ("basic", "backup")


@pytest.mark.parametrize(
    ("path", "said", "error"),
    [
        (CODE, {}, "invalid_request"),
        (CODE, {"client_id": "x" * 101}, "invalid_request"),
        (CODE, {"client_id": "x", "computer": "y" * 101}, "invalid_request"),
        (CODE, {"client_id": "x", "computer": "a\0b"}, "invalid_request"),
        (TOKEN, {}, "invalid_request"),
        (TOKEN, {"grant_type": "password", "device_code": "x"}, "unsupported_grant_type"),
        (TOKEN, {"grant_type": GRANT_TYPE}, "invalid_request"),
        (TOKEN, {"grant_type": GRANT_TYPE, "device_code": "x"}, "expired_token"),
    ],
)
def test_what_is_wrong(path: str, said: dict[str, str], error: str) -> None:
    status, answer = ask(path, **said)
    assert (status, answer["error"]) == (400, error)
    assert not DeviceAuthorization.objects.exists()


@pytest.mark.parametrize("body", ["[]", '"x"', "null", "{", "[" * 5000, '{"client_id": {"a": 1}}'])
def test_json_that_is_none_of_ours(body: str) -> None:
    response = Client().post(CODE, body, "application/json")
    assert response.status_code == 400


def test_lone_surrogates_in_json() -> None:
    body = json.dumps({"client_id": "x", "computer": "\ud800"})
    assert Client().post(CODE, body, "application/json").status_code == 400


def test_too_many_from_one_address() -> None:
    for _ in range(grant.OF_ADDRESS):
        assert ask(CODE, client_id="x")[0] == 200
    status, answer = ask(CODE, client_id="x")
    assert (status, answer["error"]) == (429, "slow_down")
