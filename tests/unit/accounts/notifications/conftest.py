"""An account with an owner and further members, and a host that takes what it is sent."""

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from accounts.actions import open_account
from accounts.audit import SERVICE
from accounts.models import Account, Endpoint, Membership, User
from accounts.notifications import endpoints
from accounts.notifications.letter import Letter, Link
from accounts.notifications.registry import Values, register
from accounts.topics import Topic
from backup_service import clock

PASSWORD = "a slot in the wall"


@register("trial-late", Topic.BACKUPS)
def _late(values: Values) -> Letter:
    return Letter(
        subject=f"“{values['name']}” is late",
        lines=["Nothing came for two days.", "Switch it on."],
        facts=[("Last backup", "Monday")],
        link=Link("Look at it", "http://127.0.0.1/vaults/x/"),
        is_urgent=True,
    )


@register("trial-payment", Topic.BILLING)
def _payment(values: Values) -> Letter:
    return Letter(subject="A payment failed", lines=["The card was refused."])


@register("trial-credential", Topic.SECURITY)
def _credential(values: Values) -> Letter:
    return Letter(subject="A new credential", lines=["Somebody made one."])


@register("trial-broken", Topic.BACKUPS)
def _broken(values: Values) -> Letter:
    raise KeyError("a letter that cannot be written")


def member(account: Account, email: str, role: str) -> Membership:
    user = User.objects.create_user(email, PASSWORD)
    return Membership.objects.create(account=account, user=user, role=role)


@pytest.fixture
def account(db: None) -> Account:
    return open_account(User.objects.create_user("alice@example.org", PASSWORD))


@pytest.fixture
def owner(account: Account) -> Membership:
    return account.memberships.get()


@dataclass
class Host:
    """A customer's system. `statuses` are its next answers; 200 when there are no more."""

    url: str
    statuses: list[int] = field(default_factory=list)
    taken: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    location: str = ""


@pytest.fixture
def host() -> Iterator[Host]:
    found = Host("")

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            found.taken.append((headers, body))
            self.send_response(found.statuses.pop(0) if found.statuses else 200)
            if found.location:
                self.send_header("Location", found.location)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        found.url = f"http://127.0.0.1:{server.server_port}/hook?k=v"
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield found
        finally:
            server.shutdown()
            thread.join()


Connect = Callable[..., Endpoint]


@pytest.fixture
def connect(account: Account, host: Host) -> Connect:
    """Add the host as an endpoint of the account."""

    def add(kind: Endpoint.Kind = Endpoint.Kind.WEBHOOK, url: str = "") -> Endpoint:
        chosen = endpoints.Settings("pager", url or host.url, [Topic.BACKUPS])
        return endpoints.add(account, kind=kind, chosen=chosen, actor=SERVICE)

    return add


def later(**by: float) -> AbstractContextManager[None]:
    return clock.travelled(timedelta(**by))
