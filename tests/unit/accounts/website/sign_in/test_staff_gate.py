"""No staff page without a second factor, shown in this very session."""

import re

import pytest
from django.core.management import call_command
from django.urls import reverse

from accounts.models import User
from tests.support.pages import Client, text
from tests.unit.accounts.website.sign_in.test_second_factor import code_of, set_up
from tests.unit.website.conftest import PASSWORD, client_of, person
from tests.unit.website.test_routes import all_routes

pytestmark = pytest.mark.django_db


@pytest.fixture
def staff() -> User:
    return person("sam@example.org", is_staff=True, is_superuser=True)


def test_staff_without_a_factor_are_sent_to_set_one_up(staff: User) -> None:
    client = client_of(staff)
    answer = client.get("/admin/")
    assert answer["Location"] == reverse("mfa_index")
    assert "Staff pages want a second factor" in text(client.get(answer["Location"]))


@pytest.mark.parametrize("method", ["get", "post"])
def test_no_staff_page_is_left_out(staff: User, method: str) -> None:
    client = client_of(staff)
    pages = [route for route in all_routes() if route.startswith("admin/")]
    assert len(pages) > 50
    for route in pages:
        path = re.sub(r"<[^>]+>|\(\?P<[^)]+\)", "1", route)
        answer = getattr(client, method)(f"/{path}")
        assert answer.status_code in (302, 404), path  # an address of no page
        assert answer.status_code == 404 or answer["Location"] == "/accounts/2fa/", path


def test_a_session_that_never_showed_it_is_asked(staff: User, client: Client) -> None:
    """Such as one that somebody opened with a stolen password, before there was a factor."""
    early = client_of(staff)
    secret, _ = set_up(staff)
    answer = early.get("/admin/accounts/user/?q=x")
    assert answer["Location"] == (
        "/accounts/2fa/reauthenticate/?next=%2Fadmin%2Faccounts%2Fuser%2F%3Fq%3Dx"
    )
    answer = early.post(answer["Location"], {"code": code_of(secret)})
    assert answer["Location"] == "/admin/accounts/user/?q=x"
    assert early.get(answer["Location"]).status_code == 200


def test_signing_in_with_the_factor_is_enough(staff: User, client: Client) -> None:
    secret, _ = set_up(staff)
    client.post("/accounts/login/", {"login": staff.email, "password": PASSWORD})
    client.post("/accounts/2fa/authenticate/", {"code": code_of(secret)})
    assert client.get("/admin/").status_code == 200


def test_customers_learn_nothing(alice: Client) -> None:
    assert alice.get("/admin/").status_code == 302
    assert alice.get("/admin/", follow=True).status_code == 403


def test_whoever_createsuperuser_makes_can_sign_in(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DJANGO_SUPERUSER_PASSWORD", PASSWORD)
    call_command("createsuperuser", "--noinput", "--email", "Root@Example.org", verbosity=0)
    client.post("/accounts/login/", {"login": "root@example.org", "password": PASSWORD})
    user = User.objects.get()
    assert client.get("/admin/")["Location"] == reverse("mfa_index")
    secret, _ = set_up(user)
    assert secret
