"""Reports of errors arrive at the operator's Sentry, and nothing that a customer sent does."""

import logging
import os
import secrets
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as django_settings
from pytest_django import Settings

from accounts.models import Account
from backup_service.embedded.ports import any_port
from backup_service.env import BASE_DIR
from backup_service.logs import error_reports
from tests.support.failing.tasks import fail_task
from tests.support.pages import Client
from tests.support.sentry_intake import Intake, running
from tests.unit.website.conftest import account, alice

__all__ = ["account", "alice"]
PLACES = ("body", "header", "cookie", "query")


@pytest.fixture
def intake() -> Iterator[Intake]:
    with running() as made:
        yield made


@contextmanager
def reporting(dsn: str) -> Iterator[error_reports.ErrorReports]:
    """Have this process report what it logs, as one with SENTRY_DSN does."""
    handler = error_reports.ErrorReports(dsn, "0.1.0")
    root = logging.getLogger()
    root.addHandler(handler)
    try:
        yield handler
    finally:
        root.removeHandler(handler)
        handler.close()


@pytest.fixture
def planted() -> dict[str, str]:
    return {place: f"{place}{secrets.token_hex(12)}" for place in PLACES}


def break_page(client: Client, path: str, planted: dict[str, str], method: str = "POST") -> int:
    """Ask for a page that fails, with secrets everywhere; return the status."""
    client.raise_request_exception = False
    client.cookies["planted"] = planted["cookie"]
    answer = client.generic(
        method,
        f"{path}?planted={planted['query']}",
        planted["body"],
        content_type="text/plain",
        HTTP_X_PLANTED=planted["header"],
        HTTP_AUTHORIZATION=f"Bearer {planted['header']}",
        HTTP_USER_AGENT=planted["header"],
        HTTP_X_REQUEST_ID=planted["header"],
    )
    status: int = answer.status_code
    return status


def own_process(intake: Intake | str, folder: Path, **more: str) -> dict[str, str]:
    dsn = intake if isinstance(intake, str) else intake.dsn
    kept = {name: value for name, value in os.environ.items() if name != "DATABASE_URL"}
    return {
        **kept,
        "DATA_DIR": str(folder),
        "DJANGO_SETTINGS_MODULE": "tests.support.failing.settings",
        "SENTRY_DSN": dsn,
        **more,
    }


@pytest.fixture
def broken_site(settings: Settings) -> None:
    settings.ROOT_URLCONF = "tests.support.failing.urls"


def none_of(planted: dict[str, str], intake: Intake) -> None:
    everything = intake.everything()
    assert everything
    for place, secret in planted.items():
        assert secret not in everything, place


@pytest.mark.django_db
def test_a_page_that_breaks_is_told_and_nothing_that_was_sent(
    alice: Client, account: Account, broken_site: None, intake: Intake, planted: dict[str, str]
) -> None:
    with reporting(intake.dsn):
        assert break_page(alice, "/fails/", planted) == 500
    event = intake.wait_for_raised()
    cause, error = event["exception"]["values"]
    assert (cause["type"], error["type"]) == ("ValueError", "LeakyError")
    assert error["stacktrace"]["frames"][-1]["function"] == "fail"
    assert event["tags"]["route"] == "fails/"
    assert event["release"] == "0.1.0"
    none_of(planted, intake)
    for key in ("request", "user", "breadcrumbs", "extra", "modules", "server_name"):
        assert key not in event or not event[key]
    assert {"vars", "value"}.isdisjoint(
        {*error, *(key for frame in error["stacktrace"]["frames"] for key in frame)}
    )
    logged = [one["logentry"]["message"] for one in intake.events() if "logentry" in one]
    assert logged == ["storage.failing: secrets.fail"] * 2
    sessions = alice.cookies["sessionid"].value
    assert sessions not in intake.everything()
    assert "alice@example.org" not in intake.everything()


@pytest.mark.django_db
@pytest.mark.parametrize("route", error_reports.SILENT)
def test_of_pages_with_secrets_nothing_is_told(
    route: str, client: Client, broken_site: None, intake: Intake, planted: dict[str, str]
) -> None:
    path = "/" + route.replace("<str:vault_id>", "v") + "fails/"
    with reporting(intake.dsn):
        assert break_page(client, path, planted) == 500
        assert break_page(client, path, planted, "GET") == 500
    assert intake.envelopes == []


@pytest.mark.django_db
@pytest.mark.parametrize("route", error_reports.SILENT_WITH_BODY)
def test_of_programs_requests_those_without_a_body_are_told(
    route: str, client: Client, broken_site: None, intake: Intake, planted: dict[str, str]
) -> None:
    with reporting(intake.dsn):
        assert break_page(client, f"/{route}fails/", planted) == 500
        assert break_page(client, f"/{route}fails/", planted, "PUT") == 500
    assert intake.envelopes == []
    with reporting(intake.dsn):
        assert break_page(client, f"/{route}fails/", planted, "GET") == 500
    assert intake.raised()
    none_of(planted, intake)


@pytest.mark.django_db
def test_of_code_that_is_marked_as_handling_secrets_nothing_is_told(
    client: Client, broken_site: None, intake: Intake, planted: dict[str, str]
) -> None:
    with reporting(intake.dsn):
        assert break_page(client, "/marked/", planted) == 500
    assert intake.envelopes == []


def test_every_page_that_is_silent_is_there() -> None:
    from django.urls import get_resolver

    from tests.unit.website.test_routes import routes

    site = routes(get_resolver("backup_service.urls").url_patterns)
    gateway = routes(get_resolver("backup_service.gateway_urls").url_patterns)
    for silent in (*error_reports.SILENT, *error_reports.SILENT_WITH_BODY):
        if silent not in ("anymail/", "mail/"):  # there only with the settings for them
            assert any(route.startswith(silent) for route in [*site, *gateway]), silent


def test_a_task_that_fails(intake: Intake) -> None:
    secret = secrets.token_hex(12)
    with reporting(intake.dsn):
        fail_task.apply([secret])
    event = intake.wait_for_raised()
    assert event["tags"]["task"] == "failing.fail"
    none_of({"argument": secret}, intake)


def test_a_task_that_fails_in_a_worker(intake: Intake, tmp_path: Path) -> None:
    secret, broker = secrets.token_hex(12), tmp_path / "broker"
    broker.mkdir()
    environment = own_process(intake, tmp_path, FAILING_BROKER=str(broker))
    celery = [sys.executable, "-m", "celery", "--app=backup_service.celery", "--quiet"]
    send = [*celery, "call", "failing.fail", f'--args=["{secret}"]']
    subprocess.run(send, cwd=BASE_DIR, env=environment, check=True, capture_output=True)
    options = ["--concurrency=1", "--without-gossip", "--without-mingle", "--without-heartbeat"]
    with (tmp_path / "log").open("wb") as log:
        worker = subprocess.Popen(
            [*celery, "worker", *options], cwd=BASE_DIR, env=environment, stderr=log
        )
        try:
            event = intake.wait_for_raised()
        finally:
            worker.terminate()
            worker.wait(30)
    assert event["tags"]["task"] == "failing.fail"
    none_of({"argument": secret}, intake)


def run_command(environment: dict[str, str], secret: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "manage.py", "fail", secret],
        cwd=BASE_DIR,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_a_command_that_fails(intake: Intake, tmp_path: Path) -> None:
    secret = secrets.token_hex(12)
    done = run_command(own_process(intake, tmp_path), secret)
    assert done.returncode == 1
    assert "LeakyError" in done.stderr  # as without
    event = intake.wait_for_raised()
    assert event["tags"]["command"] == "fail"
    assert event["level"] == "fatal"
    none_of({"argument": secret}, intake)


def test_while_sentry_is_away_a_command_fails_as_without(tmp_path: Path) -> None:
    dsn = f"http://public@127.0.0.1:{any_port()}/1"
    done = run_command(own_process(dsn, tmp_path), "secret")
    assert done.returncode == 1
    assert "\ntests.support.failing.secrets.LeakyError" in done.stderr
    assert done.stderr.count("Traceback") == 2  # of it and of its cause
    assert "sentry" not in done.stderr.lower()


@pytest.mark.django_db
def test_while_sentry_hangs_pages_are_answered(
    client: Client, broken_site: None, intake: Intake, planted: dict[str, str]
) -> None:
    intake.answers.clear()
    with reporting(intake.dsn):
        for _ in range(50):
            assert break_page(client, "/fails/", planted) == 500
        assert intake.asked.wait(30)
        assert intake.envelopes == []  # all were answered before Sentry said a word
        intake.answers.set()
    assert intake.raised()


def imported(folder: Path, dsn: str) -> str:
    code = "import django, sys; django.setup(); print('sentry_sdk' in sys.modules)"
    environment = own_process(dsn, folder)
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=BASE_DIR,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


def test_the_library_is_imported_only_if_there_is_a_sentry(tmp_path: Path) -> None:
    assert imported(tmp_path, "") == "False"
    assert imported(tmp_path, "http://public@127.0.0.1:1/1") == "True"


def test_without_an_address_nothing_is_reported() -> None:
    found: dict[str, Any] = django_settings.LOGGING
    assert list(found["handlers"]) == ["stderr"]
