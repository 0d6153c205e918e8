"""The content security policy, and that no page needs more than it allows."""

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib import admin
from django.urls import reverse

from accounts.models import Account
from backup_service.env import BASE_DIR
from billing.admin.acts import ACTS
from storage.vaults.enrolment import Enrolled
from tests.support.pages import Client, read, send_once
from tests.support.responses import Response
from tests.unit.website.conftest import back_up
from tests.unit.website.test_routes import EXPECTED, address  # noqa: F401

pytestmark = pytest.mark.django_db

STRICT = ["default-src 'none'", "script-src 'self'", "style-src 'self'", "frame-ancestors 'none'"]
HERE: dict[str, Any] = {"HTTP_HOST": "127.0.0.1:8000"}


def check(response: Response) -> None:
    policy = response["Content-Security-Policy"]
    assert "unsafe" not in policy
    for part in STRICT:
        assert part in policy
    assert response["X-Content-Type-Options"] == "nosniff"
    if response["Content-Type"].startswith("text/html"):
        assert read(response).refused == []


@pytest.mark.parametrize("route", EXPECTED)
def test_pages(client: Client, alice: Client, address: Callable[[str], str], route: str) -> None:  # noqa: F811
    for visitor in (client, alice):
        check(visitor.get(address(route), **HERE))


def test_pages_with_everything_on_them(alice: Client, laptop: Enrolled) -> None:
    back_up(laptop)
    for path in ("/dashboard/", f"/vaults/{laptop.vault.public_id}/", "/activity/"):
        response = alice.get(path)
        check(response)
        assert read(response).titles == 1
    shown_once = send_once(alice, "/devices/add/", {"name": "second"})
    assert shown_once.status_code == 200
    check(shown_once)


def test_errors_keep_to_it_as_well(client: Client, alice: Client) -> None:
    check(client.get("/nothing/here/"))
    check(Client(enforce_csrf_checks=True).post(reverse("account_login"), {}))
    for _ in range(31):
        response = client.post(reverse("account_login"), {})
    assert response.status_code == 429
    check(response)


def test_our_own_mistakes_have_a_page(
    alice: Client, monkeypatch: pytest.MonkeyPatch, account: Account
) -> None:
    alice.raise_request_exception = False
    monkeypatch.setattr("storage.vault_status.dashboard.computers", None)
    response = alice.get("/dashboard/")
    assert response.status_code == 500
    assert "Something went wrong on our side" in response.content.decode()
    check(response)


def test_staff_pages(sam: Client, laptop: Enrolled) -> None:
    back_up(laptop)
    paths = [reverse("admin:index"), f"{reverse('admin:search')}?q=alice"]
    paths += [
        reverse("admin:account_act", args=[laptop.vault.account_id, act.slug]) for act in ACTS
    ]
    for model in admin.site._registry:
        name = f"admin:{model._meta.app_label}_{model._meta.model_name}"
        paths.append(reverse(f"{name}_changelist"))
        first = model._default_manager.first()
        if first is not None:
            paths.append(reverse(f"{name}_change", args=[first.pk]))
    assert len(paths) > 25
    for path in paths:
        response = sam.get(path)
        assert response.status_code == 200, path
        check(response)


def test_dark_is_the_same_whether_chosen_or_the_system_s() -> None:
    """CSS cannot say it once: one is a condition of the screen, the other a mark of the page."""
    css = (BASE_DIR / "backup_service/static/nightsafe/admin.css").read_text()
    by_system, by_choice = (
        css.split(f'html[data-theme="{theme}"] {{')[-1].split("}")[0].split()
        for theme in ("auto", "dark")
    )
    assert by_system == by_choice != []
