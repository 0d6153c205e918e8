"""Somebody at a real browser who has a computer to back up, pays, and reads their mail."""

import os
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser

from backup_service.embedded.datadir import read_settings
from backup_service.pages.mail_viewer import read_mails
from tests.support.browser.visitor import PASSWORD, Visitor
from tests.support.journeys.computer import PASSPHRASE, Computer, Done
from tests.support.journeys.service import Service
from tests.support.waiting import wait_until

MINUTE = 60.0
# Who was asked for a password or passkey a moment ago is not asked again; this was hours ago.
HOURS_PASS = """
from django.contrib.sessions.models import Session
from accounts.models import User
mine = str(User.objects.get(email="{email}").pk)
for row in Session.objects.all():
    data = row.get_decoded()
    if data.get("_auth_user_id") != mine:
        continue
    for record in data.get("account_authentication_methods", ()):
        record["at"] -= 3600
    row.session_data = Session.objects.encode(data)
    row.save(update_fields=["session_data"])
"""


class Customer(Visitor):
    """A visitor of a whole service, with an address and a computer of their own."""

    def __init__(self, browser: Browser, service: Service, email: str, folder: Path) -> None:
        token = read_settings(service.data_dir)["NIGHTSAFE_MAIL_TOKEN"]
        super().__init__(browser, service.url, 1280, mail_token=token)
        self.service, self.email, self.folder = service, email, folder
        self.computer = Computer(folder / "computer")

    def sign_in_with_passkey(self) -> None:
        self.go("/accounts/login/")
        self.page.get_by_role("button", name="Sign in with a passkey").click()
        self.page.wait_for_url("**/dashboard/")
        self.look()

    def type_password(self) -> None:
        """As `use_passkey`, with the password."""
        self.page.wait_for_url("**/reauthenticate/**")
        self.page.get_by_label("Password").fill(PASSWORD)
        self.press("Go on")

    def use_passkey(self) -> None:
        """Prove who one is, on the page that asks for it; what was asked for goes on."""
        self.page.wait_for_url("**/reauthenticate/**")
        self.page.get_by_role("button", name="Use a passkey").click()
        self.page.wait_for_url(lambda url: "reauthenticate" not in url)
        self.look()

    def command(self, words: str) -> str:
        """Return the line to paste that has these words in it."""
        return self.page.locator(".command code", has_text=words).first.inner_text()

    def pay(self, button: str, card: str) -> None:
        """Type a card's number at the payment service, and press a button there."""
        form = self.page.get_by_role("main").locator("form", has_text=button)
        form.get_by_label("Card number").fill(card)
        form.get_by_role("button", name=button).click()
        self.look()

    def standing(self) -> str:
        """Return the word for how the first vault of the page stands."""
        return self.page.get_by_role("main").locator(".standing").first.inner_text()

    def back_up(self, *, status: int = 0) -> Done:
        return self.computer.run("backup", str(self.computer.files), status=status)

    def restic(self, binary: str, cache: Path, passphrase: str = PASSPHRASE) -> Callable[..., str]:
        """Return stock restic at the vault whose secret is shown at this moment."""
        shown = self.command("RESTIC_REST_USERNAME")
        told = dict(re.findall(r"export (\w+)=(\S+)", shown))
        address = re.search(r"-r (\S+)", shown)
        assert address is not None, shown
        told |= {"RESTIC_REPOSITORY": address[1], "RESTIC_PASSWORD": passphrase}

        def run(*words: str) -> str:
            done = subprocess.run(
                [binary, "--cache-dir", str(cache), *words],
                env=os.environ | told,
                capture_output=True,
                text=True,
                check=False,
            )
            assert done.returncode == 0, done.stdout + done.stderr
            return done.stdout

        return run

    def mail(self, subject: str) -> str:
        """Wait for a mail with words in its subject, a minute at most; return its text."""

        def found() -> list[str]:
            mails = read_mails(self.service.data_dir / "mail")
            return [one.body for one in mails if one.to == self.email and subject in one.subject]

        wait_until(found, MINUTE / 3, lambda: f"no mail about {subject!r}")
        return found()[0]

    def advance(self, span: str) -> None:
        """Let time pass for the service."""
        self.service.ask("clock", "advance", span, "--json")

    def is_granted(self, quota: str, *, days: int, reason: str) -> None:
        """Have staff give the account more room for a while."""
        given = ("--quota", quota, "--days", str(days), "--reason", reason)
        self.service.ask("account", "grant", "--account", self.email, *given, "--json")

    def hours_pass(self) -> None:
        """Let so much time pass for the browser that proof of who one is has become old."""
        self.service.ask("shell", "-v0", "-c", HOURS_PASS.format(email=self.email))

    def wait_for_state(self, wanted: str) -> None:
        """Wait until the account stands so."""

        def state() -> str:
            asked = ("billing", "state", "--account", self.email, "--json")
            return str(self.service.ask(*asked)["state"])

        wait_until(lambda: state() == wanted, 20, state)

    def account(self) -> str:
        """Return the account's id, by which it is known when nobody is left in it."""
        asked = ("account", "closing", "--account", self.email, "--json")
        return str(self.service.ask(*asked)["account"])

    def wait_for_erasure(self, account: str) -> None:
        """Let minutes pass until a closed account is erased."""

        def closing() -> dict[str, Any]:
            self.advance("5m")
            found: dict[str, Any] = self.service.ask(
                "account", "closing", "--account", account, "--json"
            )
            return found

        wait_until(lambda: closing()["erased_at"], 30, lambda: str(closing()))

    def stored(self) -> list[str]:
        """Return the files that the service keeps, in all regions, of what this computer sent."""
        vault = self.computer.vault()
        found = (path for path in self.service.data_dir.rglob("*") if path.is_file())
        return [str(path) for path in found if vault in path.parts]
