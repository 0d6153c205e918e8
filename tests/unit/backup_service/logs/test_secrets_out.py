"""What looks like a secret does not get into a line, and what does not stays."""

import pytest

from backup_service.logs.secrets_out import GONE, without_secrets

SECRET = "Zk3vQ8xLw0pT5mRb"


@pytest.mark.parametrize(
    "text",
    [
        f"Authorization: Basic {SECRET}==",
        f"'HTTP_AUTHORIZATION': 'Bearer nst_abc_{SECRET}'",
        f"the header was bearer {SECRET}",
        f"rest:https://nsabc:{SECRET}@nightsafe.example/restic/v/",
        f"postgres://nightsafe:{SECRET}@database:5432/nightsafe",
        f"redis://:{SECRET}@broker:6379/0",
        f"password={SECRET}&name=x",
        f'{{"password1": "{SECRET}"}}',
        f"Cookie: sessionid={SECRET}; a=b",
        f"csrfmiddlewaretoken={SECRET}",
        f"csrftoken={SECRET}",
        f"nst_x1y2z3_{SECRET}",
        f"whsec_{SECRET} is wrong",
        f"sk_live_{SECRET}",
        f"Stripe-Signature: t=1,v1={SECRET}",
        f"X-Amz-Signature={SECRET}&X-Amz-Date=1",
        f"DETAIL:  Failing row contains (1, {SECRET}, null).",
        f"DETAIL:  Key (secret_sha256)=({SECRET}) already exists.",
        f"device_code: {SECRET}",
    ],
)
def test_it_goes(text: str) -> None:
    shown = without_secrets(text)
    assert SECRET not in shown
    assert GONE in shown


@pytest.mark.parametrize(
    "text",
    [
        "Over quota: 0.20 of 5 GB are used, and this upload of 3.0 MB does not fit.",
        "the webhook cannot be reached: no answer came",
        "https://nightsafe.example/vaults/k7rbrl2xd26wfiz63k2c/",
        "An API token was revoked by its member.",
    ],
)
def test_it_stays(text: str) -> None:
    assert without_secrets(text) == text


def test_twice_is_once() -> None:
    once = without_secrets(f"Authorization: Basic {SECRET}, password={SECRET}")
    assert without_secrets(once) == once
