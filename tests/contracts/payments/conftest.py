"""Stripe's API twice: our stand-in always, and Stripe itself where a test key is at hand."""

import os
import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest
from stripe import StripeClient

from tests.support.billing.stand_in import VERSION, running

KEY = "NIGHTSAFE_TEST_STRIPE_KEY"


@pytest.fixture(params=["stand-in", "stripe"])
def stripe(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[StripeClient]:
    """The library as it is, speaking to one of the two."""
    if request.param == "stand-in":
        with running(tmp_path) as stand_in:
            yield stand_in.client()
        return
    key = os.environ.get(KEY, "")
    if not key.startswith("sk_test_"):  # only whoever has an account at Stripe can give one
        pytest.skip(f"Stripe itself: {KEY} holds no test key (sk_test_...)")
    yield StripeClient(key, stripe_version=VERSION, max_network_retries=2)


@pytest.fixture
def tag() -> str:
    """A name that nobody has used, for what is made at a real account."""
    return f"nightsafe-contract-{secrets.token_hex(6)}"
