"""The customers' API is part of the website, not of the gateway."""

import pytest
from django.urls import set_urlconf
from pytest_django import Settings


@pytest.fixture(autouse=True)
def _website(settings: Settings) -> None:
    settings.ROOT_URLCONF = "backup_service.urls"
    set_urlconf(None)
