"""A website as an embedded service runs it, and a real Chromium to look at it."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright

from backup_service.embedded.configuration import Configuration
from backup_service.embedded.ports import any_port
from backup_service.embedded.processes import programs
from backup_service.env import BASE_DIR
from tests.support.browser.visitor import MAIL_TOKEN
from tests.support.programs import leave_out
from tests.support.waiting import wait_for_port

ROOT = BASE_DIR
CHROMIUM = shutil.which("chromium")
FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking"]


@pytest.fixture(scope="session")
def site_environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What the website's processes, and an operator's commands, have in their environment."""
    return os.environ | {
        "DATA_DIR": str(tmp_path_factory.mktemp("site")),
        "PORT": str(any_port()),
        "NIGHTSAFE_BROKER_URL": "redis://127.0.0.1:1/0",
        "NIGHTSAFE_LOG_LEVEL": "ERROR",
        "NIGHTSAFE_MAIL_TOKEN": MAIL_TOKEN,
    }


@pytest.fixture(scope="session")
def site(site_environment: dict[str, str]) -> Iterator[str]:
    """The website as an embedded service runs it."""
    env, port = site_environment, int(site_environment["PORT"])
    commands = (
        *(["migrate", "-v0"], ["createcachetable"], ["region", "prepare"]),
        ["collectstatic", "--noinput", "-v0"],
    )
    for command in commands:
        subprocess.run([sys.executable, "manage.py", *command], cwd=ROOT, env=env, check=True)
    made = Configuration(Path(env["DATA_DIR"]), port, 0, None, 0, "", {})
    process = subprocess.Popen(programs.site(made).argv, cwd=ROOT, env=env)
    address = f"http://127.0.0.1:{port}"
    try:
        wait_for_port(port, process)
        yield address
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    if CHROMIUM is None:
        leave_out("no chromium is here (Debian: apt install chromium)")
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield started
        started.close()
