"""What the OpenAPI document says of the agents' API, beside what the gateway does."""

import copy
from typing import Any

import pytest
from django.urls import get_resolver
from jsonschema import Draft202012Validator

from backup_service.pages.api import document
from storage.api.described import SCHEME, TAG
from storage.models import Vault
from tests.unit.storage.conftest import Caller

pytestmark = pytest.mark.django_db


def described() -> dict[str, dict[str, Any]]:
    """Return the agents' operations by the last part of their path."""
    return {
        path.rpartition("/")[2]: methods["post"]
        for path, methods in document()["paths"].items()
        if TAG in next(iter(item["tags"] for item in methods.values() if "tags" in item), [])
    }


def valid(value: object, content: dict[str, Any]) -> bool:
    shape = copy.deepcopy(content["application/json"]["schema"])
    shape["components"] = document()["components"]
    Draft202012Validator(shape).validate(value)
    return True


def example(content: dict[str, Any]) -> Any:
    return content["application/json"]["examples"]["Example"]["value"]


def test_every_route_is_described_and_no_other() -> None:
    routes = {
        str(entry.pattern).rpartition("/")[2]
        for entry in get_resolver("backup_service.gateway_urls").url_patterns
        if str(entry.pattern).startswith("api/")
    }
    assert set(described()) == routes
    assert SCHEME in document()["components"]["securitySchemes"]


@pytest.mark.parametrize("name", sorted(described()))
def test_the_example_is_answered_as_described(backup: Caller, vault: Vault, name: str) -> None:
    said = described()[name]
    asked = example(said["requestBody"]["content"])
    assert valid(asked, said["requestBody"]["content"])
    path = f"/api/v1/vaults/{vault.public_id}/{name}"
    told = backup.client.post(path, asked, "application/json")
    assert told.status_code == 200, told.content
    assert valid(told.json(), said["responses"]["200"]["content"])
    assert valid(example(said["responses"]["200"]["content"]), said["responses"]["200"]["content"])


@pytest.mark.parametrize("name", sorted(described()))
def test_refusals_are_as_described(backup: Caller, vault: Vault, name: str) -> None:
    said = described()[name]["responses"]
    for other, body, status in (
        ("nothing", {}, 404),
        (vault.public_id, [], 400),
        (vault.public_id, {"objects": 7, "failed": 7, "lock": 7, "since": 7}, 400),
    ):
        path = f"/api/v1/vaults/{other}/{name}"
        told = backup.client.post(path, body, "application/json")
        assert told.status_code == status, (name, body)
        assert valid(told.json(), said[str(status)]["content"])
