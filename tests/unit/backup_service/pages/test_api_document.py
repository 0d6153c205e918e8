"""The OpenAPI document and the reference: sound, with an example of everything, and stable."""

import copy
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from drf_spectacular.drainage import GENERATOR_STATS
from drf_spectacular.generators import SchemaGenerator
from jsonschema import Draft202012Validator

from backup_service.env import BASE_DIR
from backup_service.pages.api import PROBLEMS, document
from tests.support.pages import Client, text

pytestmark = pytest.mark.django_db

# Programs are generated from these names: one that was published is not changed any more.
OPERATIONS = """
    account_change account_close account_closing account_export account_get account_reopen
    activity_export activity_list
    agent_begin agent_downloads agent_finish agent_report agent_uploads
    billing_checkout billing_get billing_portal grants_list invoices_list plans_list
    credentials_close_keys credentials_create credentials_list credentials_open_keys
    credentials_rename credentials_replace credentials_revoke
    device_code device_token devices_create devices_get devices_list devices_move devices_retire
    endpoints_change endpoints_create endpoints_deliveries endpoints_get endpoints_list
    endpoints_remove endpoints_rotate_key endpoints_send_again endpoints_test
    invitations_create invitations_list invitations_revoke
    members_change_role members_list members_remove
    notices_list notifications_change notifications_get snapshots_list tokens_list tokens_revoke
    undeletes_get undeletes_list undeletes_plan undeletes_start
    vaults_accept_removal vaults_ask_deletion vaults_change vaults_delete vaults_events vaults_get
    vaults_give_up_lost vaults_keep vaults_list vaults_set_up
"""
FILES = {"account_export", "activity_export"}
MORE_THAN_RESOURCES = {"device_code", "device_token"}  # as OAuth has them, in forms


def operations() -> Iterator[tuple[str, dict[str, Any]]]:
    for methods in document()["paths"].values():
        for method, said in methods.items():
            if method != "servers":
                yield method, said


def bodies(said: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield what an operation takes, and what it answers if all is well."""
    yield from said.get("requestBody", {}).get("content", {}).values()
    for status, answer in said["responses"].items():
        if status.startswith("2"):
            yield from answer.get("content", {}).values()


def test_names_of_operations() -> None:
    assert sorted(said["operationId"] for _, said in operations()) == sorted(OPERATIONS.split())


def test_it_is_made_without_a_warning() -> None:
    GENERATOR_STATS.reset()
    SchemaGenerator().get_schema(request=None, public=True)  # type: ignore[no-untyped-call]
    assert not GENERATOR_STATS, (GENERATOR_STATS._warn_cache, GENERATOR_STATS._error_cache)  # noqa: SLF001


def test_every_body_has_an_example_of_its_shape() -> None:
    for _, said in operations():
        if said["operationId"] in MORE_THAN_RESOURCES | FILES:
            continue
        for content in bodies(said):
            shape = copy.deepcopy(content["schema"]) | {"components": document()["components"]}
            assert content.get("examples"), said["operationId"]
            for one in content["examples"].values():
                Draft202012Validator(shape).validate(one["value"])


def test_what_changes_something_by_post_may_be_repeated() -> None:
    once = {"undeletes_plan", "device_code", "device_token"}  # changes nothing; RFC 8628
    for method, said in operations():
        if method == "post" and "Agent" not in said["tags"] and said["operationId"] not in once:
            named = {one["name"] for one in said["parameters"]}
            assert "Idempotency-Key" in named, said["operationId"]
            assert {"400", "409", "422"} <= set(said["responses"]), said["operationId"]


def codes() -> set[str]:
    """Return the codes of problems that the API's sources name."""
    found: set[str] = set()
    for folder in ("accounts", "billing", "storage"):
        for path in Path(BASE_DIR, folder, "customer_api").rglob("*.py"):
            raised = re.findall(
                r"(?:Conflict|Problem)Error\((.*?)\) from|Error\((.*?)\)\n", path.read_text(), re.S
            )
            for one in raised:
                found |= set(re.findall(r'"([a-z]+(?:-[a-z]+)+|limit|conflict)"', "".join(one)))
    return found


def test_every_code_is_explained(client: Client) -> None:
    assert {"limit", "name-taken", "in-use", "cannot-undelete", "payments-away"} <= codes()
    assert codes() <= set(PROBLEMS)
    page = text(client.get("/docs/api/reference/"))
    for code in PROBLEMS:
        assert f'id="problem-{code}"' in page


def test_the_reference_has_every_operation(client: Client) -> None:
    page = text(client.get("/docs/api/reference/"))
    for name in OPERATIONS.split():
        assert f'id="{name}"' in page
    assert "/api/v1/vaults/{vault_id}/begin" in page
