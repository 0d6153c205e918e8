"""One box finds everything that staff may see, a few of each kind."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from accounts.actions import open_account
from accounts.audit import SERVICE
from accounts.models import Account, Device, User
from accounts.tokens import tokens
from billing.models import Subscription
from storage.vaults.enrolment import Enrolled
from tests.support.pages import Client, read, text
from tests.support.responses import Response

pytestmark = pytest.mark.django_db


def search(client: Client, term: str) -> Response:
    answer: Response = client.get("/admin/search/", {"q": term})
    assert answer.status_code == 200
    return answer


def row(kind: str, pk: int) -> str:
    return reverse(f"admin:{kind}_change", args=[pk])


def test_every_kind_is_found(sam: Client, account: Account, laptop: Enrolled) -> None:
    Subscription.objects.update(stripe_customer="cus_42", stripe_subscription="sub_42")
    row_of_plan = Subscription.objects.get()
    device, credential = Device.objects.get(), laptop.first.credential
    token = tokens.create(
        account.memberships.get(), scope="read", label="x", actor=SERVICE, expires_at=None
    )
    of_account = row("accounts_account", account.pk)
    expected = {
        "ALICE@example": of_account,
        account.public_id: of_account,
        laptop.vault.public_id: row("storage_vault", laptop.vault.pk),
        "lapt": row("storage_vault", laptop.vault.pk),
        device.public_id: row("accounts_device", device.pk),
        credential.prefix: row("storage_credential", credential.pk),
        f"{credential.prefix}:{laptop.first.secret}": row("storage_credential", credential.pk),
        token.text: of_account,
        "cus_42": row("billing_subscription", row_of_plan.pk),
        "sub_42": row("billing_subscription", row_of_plan.pk),
    }
    for term, link in expected.items():
        assert link in read(search(sam, term)).links, term


def test_what_somebody_may_not_see_is_not_looked_for(
    operations: Client, account: Account, laptop: Enrolled
) -> None:
    assert "There is nothing" in text(search(operations, "alice@example.org"))
    with CaptureQueriesContext(connection) as queries:
        page = search(operations, "lapt")
    assert row("storage_vault", laptop.vault.pk) in read(page).links
    assert not any("accounts_device" in query["sql"] for query in queries)


@pytest.mark.parametrize("term", ["", "a", " ", "x" * 255])
def test_what_is_too_short_or_long_is_not_looked_for(sam: Client, term: str) -> None:
    assert "Give the beginning of a mail address" in text(search(sam, term))


def test_wildcards_and_html_are_taken_as_they_are(sam: Client, account: Account) -> None:
    for term in ("%%", "__", "<b>x</b>", "'; drop table--"):
        page = search(sam, term)
        assert "There is nothing" in text(page)
        assert read(page).refused == []


def test_a_few_of_many_are_shown(sam: Client) -> None:
    users = [User(email=f"many{n}@example.org") for n in range(1000)]
    for user in User.objects.bulk_create(users)[:30]:
        open_account(user)
    with CaptureQueriesContext(connection) as queries:
        page = search(sam, "many")
    assert len(queries) <= 14
    assert text(page).count("There are more") == 3
    assert len(read(page).links) < 80
