"""A website as an embedded service runs it, in a folder of its own, and a real Chromium."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

from backup_service.embedded.configuration import Configuration
from backup_service.embedded.ports import any_port
from backup_service.embedded.processes import programs
from backup_service.env import BASE_DIR
from tests.support.browser.visitor import MAIL_TOKEN
from tests.support.waiting import wait_for_port

CHROMIUM = shutil.which("chromium")
FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking"]
PREPARED = (
    *(["migrate", "-v0"], ["createcachetable"], ["region", "prepare"]),
    ["collectstatic", "--noinput", "-v0"],
)


def environment(folder: Path) -> dict[str, str]:
    """Return what the website's processes, and an operator's, have in their environment."""
    return os.environ | {
        "DATA_DIR": str(folder),
        "PORT": str(any_port()),
        "NIGHTSAFE_BROKER_URL": "redis://127.0.0.1:1/0",
        "NIGHTSAFE_LOG_LEVEL": "ERROR",
        "NIGHTSAFE_MAIL_TOKEN": MAIL_TOKEN,
    }


@contextmanager
def running(env: dict[str, str]) -> Iterator[str]:
    """Run a website in this environment; yield its address."""
    port = int(env["PORT"])
    for command in PREPARED:
        subprocess.run([sys.executable, "manage.py", *command], cwd=BASE_DIR, env=env, check=True)
    made = Configuration(Path(env["DATA_DIR"]), port, 0, None, 0, "", {})
    process = subprocess.Popen(programs.site(made).argv, cwd=BASE_DIR, env=env)
    try:
        wait_for_port(port, process)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)


@contextmanager
def chromium() -> Iterator[Browser]:
    """Run a browser; there must be one."""
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield started
        started.close()
