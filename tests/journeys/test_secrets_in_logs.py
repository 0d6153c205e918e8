"""Secrets in every place of a request, at a real service that logs all it can: none is logged."""

import base64
import http.client
import json
import secrets
import urllib.parse
from dataclasses import dataclass, field

import pytest

from tests.journeys.conftest import StartService
from tests.support.journeys.service import Service

pytestmark = pytest.mark.journey
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
JSON = {"Content-Type": "application/json"}


@dataclass
class Sender:
    """Sends requests, and keeps what must not be found later."""

    service: Service
    planted: list[str] = field(default_factory=list)

    def secret(self, text: str = "") -> str:
        self.planted.append(text or f"S{secrets.token_hex(12)}")
        return self.planted[-1]

    def send(
        self, method: str, path: str, body: str = "", *, to: str = "", **headers: str
    ) -> tuple[int, str]:
        parts = urllib.parse.urlsplit(to or self.service.url)
        connection = http.client.HTTPConnection(parts.netloc, timeout=60)
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(method, path, body.encode(), named)
        answer = connection.getresponse()
        told = answer.read().decode(errors="replace")
        connection.close()
        return answer.status, told

    def raw(self, text: str, *, to: str) -> None:
        """Send what is no HTTP."""
        parts = urllib.parse.urlsplit(to)
        connection = http.client.HTTPConnection(parts.netloc, timeout=60)
        connection.connect()
        assert connection.sock is not None
        connection.sock.sendall(text.encode())
        connection.sock.recv(4096)
        connection.close()


def basic(user: str, secret: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{secret}".encode()).decode()


def to_the_site(sender: Sender) -> None:
    secret = sender.secret
    form = {"login": "dora@example.org", "password": secret(), "csrfmiddlewaretoken": secret()}
    for path in ("/accounts/login/", "/accounts/signup/", "/accounts/reauthenticate/"):
        body = urllib.parse.urlencode(form | {"password1": secret(), "email": "x@example.org"})
        sender.send(
            "POST", path, body, **FORM, Cookie=f"sessionid={secret()}; csrftoken={secret()}"
        )
    codes = urllib.parse.urlencode({"code": secret("914207"), "csrfmiddlewaretoken": secret()})
    sender.send("POST", "/accounts/2fa/authenticate/", codes, **FORM)
    for path in ("/invitations/{}/", "/unsubscribe/{}/", "/accounts/password/reset/key/2-{}/"):
        sender.send("GET", path.format(secret()))
        sender.send("POST", path.format(secret()), codes, **FORM)
    sender.send("GET", f"/dashboard/?next={secret()}", Referer=f"https://x.example/?t={secret()}")
    sender.send("GET", "/", Host=secret())
    sender.send("GET", "/metrics", Authorization=f"Bearer {secret()}")
    signature = f"t=1,v1={secret(secrets.token_hex(32))}"
    event = json.dumps({"id": secret()})
    sender.send("POST", "/billing/webhook/", event, **JSON, Stripe_Signature=signature)


def to_the_api(sender: Sender, token: str) -> None:
    secret = sender.secret
    bearer = f"Bearer {secret(token)}"
    assert sender.send("GET", "/api/v1/account/", Authorization=bearer)[0] == 200
    sender.send("GET", f"/api/v1/vaults/?cursor={secret()}", Authorization=bearer)
    sender.send("GET", "/api/v1/vaults/", Authorization=f"Bearer nst_abcdefgh_{secret()}")
    sender.send("POST", "/api/v1/devices/", f'{{"name": "{secret()}"', **JSON, Authorization=bearer)
    asked = json.dumps({"client_id": "nightsafe-agent", "computer": "attic"})
    _, told = sender.send("POST", "/api/v1/device/code", asked, **JSON)
    try:
        codes = json.loads(told)
        secret(codes["device_code"]), secret(codes["user_code"])
    except (ValueError, KeyError):
        codes = {"device_code": secret()}
    poll = json.dumps({"client_id": "nightsafe-agent", "device_code": codes["device_code"]})
    sender.send("POST", "/api/v1/device/token", poll, **JSON)


def to_the_gateway(sender: Sender, vault: dict[str, str]) -> None:
    secret, to = sender.secret, sender.service.gateway_url
    good = basic(vault["username"], secret(vault["secret"]))
    sender.planted.append(good.partition(" ")[2])
    path, api = f"/restic/{vault['id']}", f"/api/v1/vaults/{vault['id']}"
    name = "0" * 64
    for authorization in (good, basic(vault["username"], secret()), secret(), f"Basic {secret()}"):
        for method in ("GET", "HEAD", "POST", "DELETE", "SECRET"):
            where = f"{path}/data/{name}?key={secret()}"
            sender.send(method, where, secret(), to=to, Authorization=authorization)
        body = json.dumps({"failed": secret(), "lock": {"name": name, "body": secret()}})
        for act in ("begin", "finish", "uploads", "downloads", "report"):
            sender.send("POST", f"{api}/{act}", body, to=to, **JSON, Authorization=authorization)
    sender.send("GET", f"/{secret()}", to=to)


def test_no_secret_is_logged(own_service: StartService) -> None:
    service = own_service(NIGHTSAFE_LOG_LEVEL="DEBUG").start()
    service.manage("account", "create", "--email", "dora@example.org", "--json")
    made = service.manage(
        "vault", "create", "--account", "dora@example.org", "--name", "attic", "--json"
    )
    vault = {"id": made["vault"], "username": made["username"], "secret": made["secret"]}
    token = service.manage("token", "create", "--account", "dora@example.org", "--json")["token"]

    sender = Sender(service)
    to_the_site(sender)
    to_the_api(sender, token)
    to_the_gateway(sender, vault)
    for to in (service.url, service.gateway_url):
        sender.raw(f"GET /?t={sender.secret()} HTTP/1.1\r\n{sender.secret()}\r\n\r\n", to=to)
        sender.raw(f"GET {sender.secret()} nonsense\r\n\r\n", to=to)
        sender.raw(f"GET /{sender.secret() * 120} HTTP/1.1\r\n\r\n", to=to)
    service.stop()

    logs = "\n".join(path.read_text() for path in (service.data_dir / "logs").glob("*"))
    logs += service.output
    lines = logs.splitlines()
    assert [line for line in lines if any(one in line for one in sender.planted)] == []
    assert len(sender.planted) > 60
    # They would be found: what is not secret is there.
    assert "route=restic/<str:vault>/<str:kind>/<str:name>" in logs
    assert f"vault={vault['id']} " in logs
    for status, cause in ((401, "unauthenticated"), (403, "forbidden"), (400, "bad-request")):
        assert any(f"status={status} " in line and f"cause={cause}" in line for line in lines), (
            cause
        )
