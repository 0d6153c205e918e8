"""A running stand-in for the payment service, driven by the real library.

It is a process of its own, or runs in threads of the tests' own, which takes no second to start.
"""

import os
import re
import secrets
import subprocess
import sys
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from html import unescape
from pathlib import Path
from typing import Any

from stripe import StripeClient

from backup_service.embedded import ports
from backup_service.env import BASE_DIR
from billing.stand_in.running import running as in_threads
from billing.stand_in.settings import read
from tests.support.waiting import wait_until

VERSION = "2026-10-28.endive"
DAY = 86400


@dataclass
class Browser:
    """A customer at the stand-in's pages: follows no links, keeps no cookies, runs no scripts."""

    last: str = ""
    status: int = 0
    location: str = ""

    def get(self, address: str) -> str:
        """Open a page; return its text."""
        return self._open(urllib.request.Request(address))

    def post(self, address: str, **form: str) -> str:
        """Send a form; return the page, empty where the answer leads elsewhere."""
        body = urllib.parse.urlencode(form).encode()
        return self._open(urllib.request.Request(address, data=body))

    def _open(self, request: urllib.request.Request) -> str:
        class Stay(urllib.request.HTTPRedirectHandler):
            def redirect_request(self, *args: Any, **kwargs: Any) -> None:
                return None

        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), Stay())
        try:
            with opener.open(request, timeout=20) as answer:
                self.status, self.location = answer.status, ""
                self.last = answer.read().decode()
        except urllib.error.HTTPError as refusal:
            with refusal:
                self.status, self.location = refusal.code, refusal.headers.get("Location", "")
                self.last = refusal.read().decode()
        return unescape(self.last)


@dataclass
class StandIn:
    """One stand-in with a data file, a clock file and keys of its own."""

    folder: Path
    webhook_url: str = ""
    after_retries: str = "unpaid"
    api_key: str = field(default_factory=lambda: f"sk_test_standin_{secrets.token_hex(12)}")
    webhook_secret: str = field(default_factory=lambda: f"whsec_{secrets.token_hex(16)}")
    port: int = field(default_factory=ports.any_port)
    is_in_threads: bool = False
    process: "subprocess.Popen[bytes] | None" = None
    threads: ExitStack = field(default_factory=ExitStack)

    @property
    def address(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def clock_file(self) -> Path:
        """The file with the offset of its clock, in seconds."""
        return self.folder / "clock"

    def start(self) -> None:
        """Start it, and wait until it answers."""
        settings = self.folder / "payments.env"
        settings.write_text(
            f"NIGHTSAFE_STRIPE_API_BASE='{self.address}'\n"
            f"NIGHTSAFE_STRIPE_API_KEY='{self.api_key}'\n"
            f"NIGHTSAFE_STRIPE_WEBHOOK_SECRET='{self.webhook_secret}'\n"
            f"NIGHTSAFE_CLOCK_FILE='{self.clock_file}'\n"
            f"STAND_IN_WEBHOOK_URL='{self.webhook_url}'\n"
            f"STAND_IN_AFTER_RETRIES='{self.after_retries}'\n"
        )
        data = self.folder / "payments.sqlite3"
        if self.is_in_threads:
            self.threads.enter_context(in_threads(read(settings), data))
            return
        command = [sys.executable, "-m", "billing.stand_in"]
        command += [f"--settings={settings}", f"--data={data}"]
        with (self.folder / "payments.log").open("ab") as log:
            self.process = subprocess.Popen(command, cwd=BASE_DIR, stdout=log, stderr=log)
        wait_until(self._answers, 10, lambda: "the stand-in does not answer")

    def _answers(self) -> bool:
        try:
            return "no real money" in Browser().get(f"{self.address}/")
        except OSError:
            return False

    def stop(self, *, hard: bool = False) -> None:
        """End it, by a kill if asked."""
        self.threads.close()
        if self.process is not None:
            (self.process.kill if hard else self.process.terminate)()
            self.process.wait(20)
            self.process = None

    def client(self, **options: Any) -> StripeClient:
        """Return the library as it is, speaking to this server."""
        return StripeClient(
            self.api_key,
            base_addresses={"api": self.address},
            stripe_version=VERSION,
            max_network_retries=2,
            **options,
        )

    def travel(self, seconds: float) -> None:
        """Move its clock on."""
        before = float(self.clock_file.read_text()) if self.clock_file.exists() else 0.0
        draft = self.clock_file.with_suffix(".new")
        draft.write_text(str(before + seconds))
        os.replace(draft, self.clock_file)


@contextmanager
def running(folder: Path, **options: Any) -> Iterator[StandIn]:
    """Run a stand-in for the length of a `with` block."""
    stand_in = StandIn(folder, **options)
    stand_in.start()
    try:
        yield stand_in
    finally:
        stand_in.stop()


def field_of(text: str, name: str) -> str:
    """Return the value of a hidden field of a page."""
    found = re.search(rf'name="{name}" value="([^"]*)"', text)
    assert found is not None, f"no field {name}"
    return found[1]
