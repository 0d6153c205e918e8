"""Texts that no database takes are a clear 400, wherever they come in."""

import json

import pytest
from django.core.management import CommandError, call_command

from accounts.models import Account
from accounts.texts import is_plain
from tests.support.responses import Response
from tests.unit.storage.conftest import Caller, sha

pytestmark = pytest.mark.django_db
ODD = ["\ud800", "\udfff", "a\x00b", "\x00", "\udc80abc", "\ud83d"]  # the last is half an emoji
SHAPES: dict[str, list[dict[str, object]]] = {
    "begin": [
        {"lock": {"name": "%s", "body": "eA=="}},
        {"lock": {"name": sha(b"x"), "body": "%s"}},
        {"since": {"epoch": "%s", "sequence": 1}},
    ],
    "finish": [
        {"commit": ["%s"]},
        {"snapshot": {"name": "%s", "body": "eA=="}},
        {"snapshot": {"name": sha(b"x"), "body": "%s"}},
        {"lock": "%s"},
    ],
    "uploads": [
        {"commit": ["%s"]},
        {"give_up": ["a" * 32, "%s"]},
        {"objects": [{"type": "%s", "name": sha(b"x"), "size": 1}]},
        {"objects": [{"type": "data", "name": "%s", "size": 1}]},
        {"objects": [{"type": "data", "name": sha(b"x"), "size": "%s"}]},
    ],
    "downloads": [
        {"objects": [{"type": "%s", "name": sha(b"x")}]},
        {"objects": [{"type": "data", "name": "%s"}]},
    ],
}


def call(who: Caller, what: str, body: str | bytes) -> Response:
    where = f"/api/v1/vaults/{who.vault.public_id}/{what}"
    return who.client.post(where, body, content_type="application/json")


@pytest.mark.parametrize("odd", ODD, ids=ascii)
@pytest.mark.parametrize(
    ("what", "shape"), [(what, shape) for what, shapes in SHAPES.items() for shape in shapes]
)
def test_in_the_control_api(backup: Caller, what: str, shape: dict[str, object], odd: str) -> None:
    escaped = json.dumps(odd)[1:-1]
    response = call(backup, what, json.dumps(shape).replace("%s", escaped))
    assert response.status_code == 400, response.content
    assert response.json()["code"] == "bad-request"


@pytest.mark.parametrize("body", [b'"\xed\xa0\x80"', b"\xff\xfe{}", b'{"lock": "\xed\xa0\x80"}'])
def test_bytes_that_are_no_text(backup: Caller, body: bytes) -> None:
    assert call(backup, "finish", body).status_code == 400


def test_unknown_fields_are_passed_over(backup: Caller) -> None:
    assert call(backup, "begin", '{"\\ud800": "\\u0000"}').status_code == 200


@pytest.mark.parametrize("path", ["%00", "%ED%A0%80", "data/%00", "%ff/", "keys/%00%00"])
def test_in_addresses_of_the_gateway(backup: Caller, path: str) -> None:
    for where in (f"/restic/{path}", backup.url(path), f"/api/v1/vaults/{path}/begin"):
        assert backup.client.get(where).status_code in {400, 403, 404, 405}
        assert backup.client.post(where).status_code in {400, 403, 404, 405, 411}


@pytest.mark.parametrize("odd", ["\ud800", "a\x00"], ids=ascii)
def test_in_commands(account: Account, odd: str) -> None:
    with pytest.raises(CommandError, match="no text"):
        call_command("vault", "create", account="alice@example.org", name=odd)
    with pytest.raises(CommandError, match="no text"):
        call_command("account", "usage", email=odd)


def test_what_is_plain() -> None:
    assert is_plain("späte Grüße, 日本語, \U0001f511\n\t\x01")
    assert not any(map(is_plain, ODD))
