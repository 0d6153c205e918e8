"""Every address of the site, and who gets what from it. A route that is not listed fails."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from django.contrib import admin
from django.urls import URLPattern, URLResolver, get_resolver
from pytest_django import Settings

from accounts.audit import SERVICE
from accounts.models import Device, Endpoint
from accounts.notifications import endpoints
from accounts.notifications.tokens import unsubscribe_token
from accounts.topics import Topic
from backup_service import clock
from storage.models import Credential, Undelete
from storage.vaults.enrolment import Enrolled
from tests.support.pages import Client
from tests.support.responses import Response
from tests.unit.website.conftest import client_of, person

pytestmark = pytest.mark.django_db

SIGN_IN = "sign-in"  # a redirect to the sign-in page
ANY = {200, 302}


@dataclass(frozen=True)
class Expected:
    """Statuses of a GET: from somebody unknown, from Bob, and from Alice, whose things they are."""

    anonymous: Any
    bob: Any
    alice: Any
    changes: bool = False  # takes a POST
    get: bool = True


OWN = Expected(anonymous=SIGN_IN, bob=200, alice=200)
OWN_FORM = Expected(anonymous=SIGN_IN, bob=200, alice=200, changes=True)
OF_ALICE = Expected(anonymous=SIGN_IN, bob=404, alice=200)
OF_ALICE_FORM = Expected(anonymous=SIGN_IN, bob=404, alice=200, changes=True)
OPEN = Expected(anonymous=200, bob=200, alice=200)
ASKS_AGAIN = Expected(anonymous=SIGN_IN, bob=302, alice=302, changes=True)
DOOR = Expected(anonymous=200, bob=302, alice=302, changes=True)

EXPECTED = {
    "": Expected(anonymous=200, bob=302, alice=302),
    "how-it-works/": OPEN,
    "pricing/": OPEN,
    "security/": OPEN,
    "download/": OPEN,
    "download/files/<str:file>": Expected(404, 404, 404),  # none was made, see test_downloads
    "download/simple/": OPEN,
    "download/simple/<str:project>/": Expected(404, 404, 404),
    "docs/": OPEN,
    "docs/getting-started/": OPEN,
    "docs/restore/": OPEN,
    "docs/restic/": OPEN,
    "docs/api/": OPEN,
    "docs/api/reference/": OPEN,
    "status/": OPEN,
    "terms/": OPEN,
    "privacy/": OPEN,
    "robots.txt": OPEN,
    "sitemap.xml": OPEN,
    ".well-known/security.txt": Expected(404, 404, 404),  # nobody is named, see test_well_known
    "favicon.ico": Expected(302, 302, 302),
    "mail/": Expected(
        anonymous=403, bob=403, alice=403, changes=True
    ),  # wants a token, see test_mail_viewer
    "healthz": Expected(anonymous={200, 503}, bob={200, 503}, alice={200, 503}),
    "readyz": Expected(anonymous={200, 503}, bob={200, 503}, alice={200, 503}),
    "metrics": Expected(anonymous=404, bob=404, alice=404),  # wants a token, see test_metrics
    "dashboard/": OWN,
    "dashboard/live/": OWN,
    "activity/": OWN,
    "connect/": OWN_FORM,
    "activity/export.csv": OWN,
    "settings/notifications/": OWN_FORM,
    "settings/notifications/mail/": Expected(SIGN_IN, 405, 405, changes=True),
    "settings/notifications/endpoints/add/": OWN_FORM,
    "settings/notifications/endpoints/<str:endpoint_id>/": OF_ALICE_FORM,
    "settings/notifications/endpoints/<str:endpoint_id>/<slug:act>/": Expected(
        SIGN_IN, 405, 405, changes=True
    ),
    # Whoever has the mail has the link in it, signed in or not.
    "unsubscribe/<str:token>/": Expected(200, 200, 200, changes=True),
    "billing/": OWN,
    "billing/plans/": OWN,
    "billing/checkout/": Expected(anonymous=SIGN_IN, bob=405, alice=405, changes=True),
    "billing/portal/": Expected(anonymous=SIGN_IN, bob=405, alice=405, changes=True),
    "billing/return/": Expected(anonymous=SIGN_IN, bob=302, alice=302),
    # Stripe's own way in, which its signature opens: see tests/unit/billing/webhooks
    "billing/webhook/": Expected(anonymous=405, bob=405, alice=405, changes=True),
    "account/open/": Expected(anonymous=SIGN_IN, bob=405, alice=405, changes=True),
    "account/continent/": OWN_FORM,
    "devices/add/": OWN_FORM,
    "devices/<str:device_id>/retire/": OF_ALICE_FORM,
    "vaults/<str:vault_id>/": OF_ALICE,
    "vaults/<str:vault_id>/live/": OF_ALICE,
    "vaults/<str:vault_id>/events/": OF_ALICE,
    "vaults/<str:vault_id>/rename/": OF_ALICE_FORM,
    "vaults/<str:vault_id>/delete/": OF_ALICE_FORM,
    "vaults/<str:vault_id>/lost/give-up/": OF_ALICE_FORM,
    "vaults/<str:vault_id>/accept-removal/": OF_ALICE_FORM,
    "vaults/<str:vault_id>/interval/": OF_ALICE_FORM,
    "vaults/<str:vault_id>/snapshots/": OF_ALICE,
    "vaults/<str:vault_id>/undelete/": Expected(SIGN_IN, bob=404, alice=302, changes=True),
    "vaults/<str:vault_id>/undelete/<int:number>/": OF_ALICE,
    "vaults/<str:vault_id>/keep/": Expected(SIGN_IN, 405, 405, changes=True),
    "vaults/<str:vault_id>/set-up/": OF_ALICE_FORM,
    "vaults/<str:vault_id>/credentials/<str:prefix>/replace/": OF_ALICE_FORM,
    "vaults/<str:vault_id>/credentials/<str:prefix>/keys/": OF_ALICE_FORM,
    "vaults/<str:vault_id>/credentials/add/": OF_ALICE_FORM,
    "vaults/<str:vault_id>/credentials/<str:prefix>/rename/": OF_ALICE_FORM,
    "vaults/<str:vault_id>/credentials/<str:prefix>/revoke/": OF_ALICE_FORM,
    "accounts/login/": DOOR,
    "accounts/signup/": DOOR,
    "accounts/logout/": Expected(anonymous=302, bob=200, alice=200, changes=True),
    "accounts/inactive/": OPEN,
    "accounts/reauthenticate/": Expected(anonymous=SIGN_IN, bob=200, alice=200, changes=True),
    # By a code in a mail: not on offer, so that whoever reads the mail gains nothing more by it.
    "accounts/reauthenticate/code/": Expected(SIGN_IN, 403, 403, changes=True),
    "accounts/reauthenticate/code/confirm/": Expected(SIGN_IN, 403, 403, changes=True),
    "accounts/email/": OWN_FORM,
    "settings/": OWN_FORM,
    "settings/account/": Expected(SIGN_IN, 405, 405, changes=True),
    "settings/switch/": OWN_FORM,
    "settings/export/": OWN_FORM,
    "settings/close/": OWN_FORM,
    "settings/close/reopen/": Expected(SIGN_IN, 405, 405, changes=True),
    "settings/delete/": OWN_FORM,
    "settings/members/": OWN_FORM,
    "settings/members/leave/": OWN_FORM,
    "settings/members/take-over/": Expected(SIGN_IN, 405, 405, changes=True),
    "settings/members/<int:seat_id>/role/": OF_ALICE_FORM,
    "settings/members/<int:seat_id>/remove/": OF_ALICE_FORM,
    "settings/members/<int:seat_id>/offer/": Expected(SIGN_IN, 405, 405, changes=True),
    "settings/invitations/<int:invitation_id>/revoke/": Expected(SIGN_IN, 405, 405, changes=True),
    "settings/tokens/": OWN_FORM,
    "settings/tokens/<str:token>/revoke/": Expected(SIGN_IN, 405, 405, changes=True),
    "devices/<str:device_id>/rename/": OF_ALICE_FORM,
    "devices/<str:device_id>/move/": OF_ALICE_FORM,
    "invitations/": Expected(200, 200, 200, changes=True),
    "invitations/<str:token>/": Expected(anonymous=302, bob=302, alice=302),
    "settings/sessions/<int:session_id>/end/": Expected(SIGN_IN, 405, 405, changes=True),
    "accounts/sessions/": OWN_FORM,
    # What changes a second factor asks for the password, or a second factor, once more.
    "accounts/2fa/": OWN,
    "accounts/2fa/authenticate/": Expected(anonymous=302, bob=302, alice=302, changes=True),
    "accounts/2fa/reauthenticate/": Expected(SIGN_IN, 302, 302, changes=True),
    "accounts/2fa/totp/activate/": ASKS_AGAIN,
    "accounts/2fa/totp/deactivate/": Expected(SIGN_IN, 404, 404, changes=True),
    "accounts/2fa/recovery-codes/": Expected(SIGN_IN, 404, 404),
    "accounts/2fa/recovery-codes/generate/": ASKS_AGAIN,
    "accounts/2fa/recovery-codes/download/": Expected(SIGN_IN, 404, 404, changes=True),
    "accounts/2fa/webauthn/": OWN,
    "accounts/2fa/webauthn/add/": ASKS_AGAIN,
    "accounts/2fa/webauthn/reauthenticate/": Expected(SIGN_IN, 302, 302, changes=True),
    "accounts/2fa/webauthn/keys/<int:pk>/remove/": ASKS_AGAIN,
    "accounts/2fa/webauthn/keys/<int:pk>/edit/": ASKS_AGAIN,
    "accounts/2fa/webauthn/login/": Expected(anonymous=302, bob=302, alice=302, changes=True),
    "accounts/confirm-email/": Expected(anonymous=200, bob=ANY, alice=ANY),
    "accounts/confirm-email/(?P<key>[-:\\w]+)/": Expected(200, 200, 200, changes=True),
    "accounts/password/change/": OWN_FORM,
    "accounts/password/set/": Expected(anonymous=SIGN_IN, bob=302, alice=302, changes=True),
    "accounts/password/reset/": Expected(200, 200, 200, changes=True),
    "accounts/password/reset/done/": OPEN,
    "accounts/password/reset/key/(?P<uidb36>[0-9A-Za-z]+)-(?P<key>.+)/": Expected(
        200, 200, 200, changes=True
    ),
    "accounts/password/reset/key/done/": OPEN,
    "accounts/login/code/confirm/": Expected(anonymous=302, bob=302, alice=302, changes=True),
}

# What a signed link in a mail is enough for, without a session or a page of ours before.
BY_LINK = {"unsubscribe/<str:token>/", "invitations/<str:token>/"}

STAFF_PAGES = {
    "accounts.account",
    "accounts.auditevent",
    "accounts.device",
    "accounts.bouncingaddress",
    "accounts.delivery",
    "accounts.endpoint",
    "accounts.notice",
    "accounts.staffnote",
    "accounts.membership",
    "accounts.user",
    "account.emailaddress",
    "mfa.authenticator",
    "usersessions.usersession",
    "billing.grant",
    "billing.plan",
    "billing.stripeevent",
    "billing.subscription",
    "storage.alarm",
    "storage.attempt",
    "storage.canaryrun",
    "storage.channel",
    "storage.credential",
    "storage.heartbeat",
    "storage.journalentry",
    "storage.lock",
    "storage.lossnotice",
    "storage.region",
    "storage.replica",
    "storage.storedobject",
    "storage.vault",
    "storage.vaultevent",
}


def routes(patterns: list[URLPattern | URLResolver], prefix: str = "") -> list[str]:
    found = []
    for pattern in patterns:
        path = prefix + str(pattern.pattern).removeprefix("^").removesuffix("$")
        if isinstance(pattern, URLResolver):
            found += routes(pattern.url_patterns, path)
        else:
            found.append(path)
    return found


def all_routes() -> list[str]:
    return routes(get_resolver("backup_service.urls").url_patterns)


def test_every_route_is_listed_here() -> None:
    apart = ("admin/", "api/v1/")  # of the API, see unit/storage/customer_api/test_api_routes.py
    site = {route for route in all_routes() if not route.startswith(apart)}
    assert site == set(EXPECTED)


def test_every_staff_page_is_listed_here() -> None:
    assert {model._meta.label_lower for model in admin.site._registry} == STAFF_PAGES


@pytest.fixture
def address(laptop: Enrolled, settings: Settings) -> Callable[[str], str]:
    """Turn a route into an address of something of Alice's."""
    vault, credential = laptop.vault, laptop.first.credential
    undelete = Undelete.objects.create(
        vault=vault, actor_label="alice@example.org", removed_before=clock.now()
    )
    chosen = endpoints.Settings("pager", "https://example.org/hook", [Topic.BACKUPS])
    endpoint = endpoints.add(
        vault.account, kind=Endpoint.Kind.WEBHOOK, chosen=chosen, actor=SERVICE
    )
    values = {
        "<str:endpoint_id>": endpoint.public_id,
        "<slug:act>": "remove",
        "<str:token>": unsubscribe_token(vault.account.memberships.get(), Topic.BACKUPS),
        "<int:number>": str(undelete.pk),
        "<str:device_id>": Device.objects.get().public_id,
        "<str:vault_id>": vault.public_id,
        "<str:prefix>": credential.prefix,
        "<int:session_id>": "1",
        "<int:invitation_id>": "1",
        "<int:seat_id>": str(vault.account.memberships.get().pk),
        "<int:pk>": "1",
        "(?P<key>[-:\\w]+)": "Mg:1abc:def",
        "(?P<uidb36>[0-9A-Za-z]+)-(?P<key>.+)": "2-set-password",
    }

    def fill(route: str) -> str:
        for placeholder, value in values.items():
            route = route.replace(placeholder, value)
        return "/" + route

    return fill


def check(response: Response, expected: str | int | set[int], who: str) -> None:
    if expected == SIGN_IN:
        assert response.status_code == 302, who
        assert response["Location"].startswith("/accounts/login/"), who
    elif isinstance(expected, set):
        assert response.status_code in expected, who
    else:
        assert response.status_code == expected, who


HERE: dict[str, Any] = {"HTTP_HOST": "127.0.0.1:8000"}


# What makes Alice's things costs more than all these requests, so one test sends several.


@pytest.mark.parametrize("route", EXPECTED)
def test_who_gets_what(
    client: Client, alice: Client, bob: Client, address: Callable[[str], str], route: str
) -> None:
    path, expected = address(route), EXPECTED[route]
    check(client.get(path, **HERE), expected.anonymous, "somebody unknown")
    check(bob.get(path, **HERE), expected.bob, "another tenant")
    check(alice.get(path, **HERE), expected.alice, "the owner")


@pytest.mark.parametrize("route", EXPECTED)
def test_what_changes_nothing(
    alice: Client, bob: Client, address: Callable[[str], str], route: str
) -> None:
    path, expected = address(route), EXPECTED[route]
    answers_anybody = route in ("healthz", "readyz")
    if not expected.changes:  # a page that only shows takes no POST
        assert alice.post(path, **HERE).status_code in ((200, 503) if answers_anybody else (405,))
    if route in BY_LINK:
        return
    body = {"scope": "maintain", "name": "x"}
    if "<str:" in route:
        assert bob.post(path, body).status_code in (404, 405)
        assert_all_is_there()
    strict = Client(enforce_csrf_checks=True)
    strict.cookies = alice.cookies
    response = strict.post(path, body, **HERE)
    if answers_anybody:
        assert response.status_code in (200, 503)
        return
    if route == "billing/webhook/":  # no cookie says who it is from
        assert response.status_code == 400
        return
    assert response.status_code == 403
    assert "Please send the form again" in response.content.decode()
    assert_all_is_there()


def assert_all_is_there() -> None:
    assert Credential.objects.filter(revoked_at=None).count() == 1
    assert Device.objects.get().retired_at is None
    assert Endpoint.objects.get().removed_at is None


@pytest.mark.parametrize(
    "route",
    [route for route in all_routes() if route.startswith("admin/")],
)
def test_staff_pages_are_for_staff(client: Client, alice: Client, route: str) -> None:
    path = "/" + route.replace("<path:object_id>", "1").replace("<int:content_type_id>", "1")
    path = path.replace("<slug:slug>", "room").replace("(?P<url>.*)", "x")
    path = path.replace("(?P<app_label>auth|accounts)", "accounts")
    response = client.get(path)
    assert response.status_code == 302
    assert response["Location"].startswith(("/accounts/login/", "/admin/"))
    assert alice.get(path, follow=True).status_code == 403


def test_the_staff_door_is_the_common_one(client: Client) -> None:
    assert (
        client.get("/admin/login/?next=/admin/")["Location"] == "/accounts/login/?next=%2Fadmin%2F"
    )
    response = client.post("/admin/login/", {"username": "sam@example.org", "password": "guess"})
    assert response["Location"].startswith("/accounts/login/")


def test_people_without_a_seat_get_nothing_of_anybodys(address: Callable[[str], str]) -> None:
    charlie = client_of(person("charlie@example.org"))
    for route in EXPECTED:
        if "<str:" in route and route not in BY_LINK:
            assert charlie.get(address(route)).status_code in (404, 405)
