"""Nobody is led to a refusal: whatever a page shows to somebody, they may do."""

from html import unescape
from re import DOTALL, findall
from urllib.parse import urljoin, urlsplit

import pytest
from django.db import transaction

from accounts.audit import Actor
from accounts.models import Account, Device, Endpoint, Membership, User
from accounts.notifications import endpoints
from accounts.topics import Topic
from backup_service import clock
from storage.deletion import whole_vaults
from storage.models import Credential, Vault
from storage.vaults.credentials import create
from storage.vaults.enrolment import Enrolled
from tests.support.pages import Client, read, text
from tests.unit.website.conftest import back_up, client_of, enrol, person, remove_all

pytestmark = pytest.mark.django_db
# Pages for other people or programs, and those that tell everybody how things are done.
OTHERS = ("/mail/", "/admin", "/static/", "/api/", "/docs/", "/download/", "/privacy/")
LEFT_OUT = ("/accounts/logout/", "/account/open/")  # which end the walk
NOT_FOR_THEM = (403, 404)


@pytest.fixture
def everything(account: Account, laptop: Enrolled) -> Account:
    """An account with all that pages have links and buttons for."""
    actor = Actor.person(account.memberships.get().user)
    remove_all(laptop)
    Vault.objects.update(wiped_at=clock.now())
    create(laptop.vault, scope=Credential.Scope.BACKUP.value, actor=actor, label="second")
    going = enrol(account, "going")
    back_up(going)
    whole_vaults.ask(Vault.objects.get(pk=going.vault.pk), actor=actor)
    enrol(account, "never set up")
    Device.objects.create(account=account, name="without a vault")
    chosen = endpoints.Settings("pager", "https://example.org/hook", [Topic.BACKUPS])
    endpoints.add(account, kind=Endpoint.Kind.WEBHOOK, chosen=chosen, actor=actor)
    return account


def seated(account: Account, role: str) -> Client:
    """Somebody with that role, to whom all computers of the account belong."""
    if role == Membership.Role.OWNER:
        return client_of(account.memberships.get().user)
    user = person(f"{role}@example.org")
    seat = Membership.objects.create(account=account, user=user, role=role)
    Device.objects.filter(account=account).update(member=seat)
    return client_of(user)


def walk(browser: Client) -> tuple[list[str], set[str]]:
    """Follow every link, and press every button; return what was refused, and what was seen."""
    refused, seen, waiting = [], set(), ["/dashboard/", "/settings/"]
    while waiting:
        path = waiting.pop()
        if path in seen or path.startswith((*OTHERS, *LEFT_OUT)):
            continue
        seen.add(path)
        page = browser.get(path)
        if page.status_code in NOT_FOR_THEM:
            refused.append(path)
        if page.status_code == 302:
            waiting.append(local(path, page["Location"]))
        if not page.headers.get("Content-Type", "").startswith("text/html"):
            continue
        waiting += [local(path, link) for link in read(page).links if "language=" not in link]
        refused += press(browser, path, page.content.decode())
    return refused, seen


def local(path: str, link: str) -> str:
    parts = urlsplit(urljoin(path, link))
    return parts.path if not parts.netloc else "/static/"


def press(browser: Client, path: str, page: str) -> list[str]:
    """Send each form with what is hidden in it, undo what that did, and return what was refused."""
    refused = []
    for head, body in findall(r"<form([^>]*)>(.*?)</form>", page, DOTALL):
        [action] = findall(r'action="([^"]*)"', head) or [path]
        if 'method="post"' not in head or action.startswith((*OTHERS, *LEFT_OUT)):
            continue
        hidden = dict(findall(r'type="hidden"\s+name="([^"]+)"\s+value="([^"]*)"', body))
        with transaction.atomic():
            answer = browser.post(action, {name: unescape(one) for name, one in hidden.items()})
            transaction.set_rollback(True)
        if answer.status_code in NOT_FOR_THEM:
            refused.append(f"POST {action}")
    return refused


@pytest.mark.parametrize("role", Membership.Role.values)
def test_a_role_is_led_to_no_refusal(everything: Account, role: str) -> None:
    refused, seen = walk(seated(everything, role))
    assert refused == []
    vault = Vault.objects.order_by("pk")[0]
    assert {"/activity/", "/settings/members/", f"/vaults/{vault.public_id}/"} <= seen
    changes = f"/vaults/{vault.public_id}/rename/"
    assert (changes in seen) == (role != Membership.Role.AUDITOR)
    assert ("/billing/" in seen) == (role != Membership.Role.MEMBER)
    assert ("/settings/tokens/" in seen) == (role in ("owner", "admin"))


@pytest.mark.parametrize("is_staff", [False, True])
def test_somebody_without_an_account_is_led_to_no_refusal(is_staff: bool) -> None:
    refused, seen = walk(client_of(person("sam@example.org", is_staff=is_staff)))
    assert refused == []
    assert "/activity/" not in seen


def test_a_refused_form_shows_its_page_all_the_same(alice: Client, account: Account) -> None:
    User.objects.get(email="alice@example.org").memberships.all().delete()
    said = alice.post("/devices/add/", {"name": "x", "in_account": account.public_id})
    assert said.status_code == 403
    assert "not a member of the account any more" in text(said)
