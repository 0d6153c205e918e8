"""From signing up to a backup that runs by itself, and back with the recovery kit alone.

In a real browser and at a real terminal; only the hours until a backup is due are skipped.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests.support.browser.customer import Customer
from tests.support.interop.kits import code_on
from tests.support.interop.terminal import Terminal
from tests.support.journeys.computer import contents
from tests.support.journeys.service import Service
from tests.support.peers import NEWEST_RESTIC, path_of
from tests.support.waiting import wait_until

pytestmark = pytest.mark.browser
AGENT = Path(sys.executable).with_name("nightsafe")
PASSPHRASE = "a rainbow without any umbrellas"
HOUR = 3600


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    running = Service(tmp_path_factory.mktemp("service") / "data")
    try:
        yield running.start()
    finally:
        running.close()


class Computer:
    """A user's home, in which nothing is told to the agent but what somebody types."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.work = home / "Documents"
        self.work.mkdir(parents=True)
        self.clock = home / "clock"
        hidden = ("NIGHTSAFE_", "RESTIC_", "XDG_")
        kept = {n: v for n, v in os.environ.items() if not n.startswith(hidden)}
        # Without systemd, which is not everywhere that tests run.
        self.environ = kept | {"HOME": str(home), "PATH": str(home), "TERM": "xterm"}
        self.environ |= {"NIGHTSAFE_CLOCK": str(self.clock)}

    def run(self, *words: str, typed: str = "", **more: str) -> str:
        done = subprocess.run(
            [str(AGENT), *words],
            env=self.environ | more,
            input=typed,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def at_terminal(self, *words: str) -> Terminal:
        return Terminal([str(AGENT), *words], self.environ)

    def job(self) -> dict[str, str]:
        return dict(json.loads(self.run("status", "--json"))["jobs"][0])

    @contextmanager
    def resident(self) -> Iterator[None]:
        """The agent that runs by itself, for the length of a `with` block."""
        with subprocess.Popen(
            [str(AGENT), "service", "run"], env=self.environ, stdout=subprocess.DEVNULL
        ) as agent:
            try:
                yield
            finally:
                agent.terminate()
        assert agent.returncode == 0


def connect(sarah: Customer, terminal: Terminal, name: str) -> None:
    """Confirm in the browser the code that the terminal shows."""
    terminal.answer("What shall this computer be called?", name)
    code = re.search(r"type the code (\S+)", terminal.wait_for(" there. Waiting"))
    assert code is not None
    sarah.go("/connect/")
    sarah.page.get_by_label("The code that the computer shows").fill(code[1])
    sarah.press("Go on")
    sarah.type_password()
    sarah.says(f"Connect “{name}”?")
    sarah.press("Connect it")
    sarah.says(f"“{name}” is connected.")


def test_from_signing_up_to_a_restore_with_the_kit_alone(
    browser: Browser, service: Service, tmp_path: Path
) -> None:
    sarah = Customer(browser, service, "sarah@example.org", tmp_path / "sarah")
    sarah.sign_up(sarah.email)
    computer = Computer(tmp_path / "laptop")
    for number in range(30):
        (computer.work / f"letter {number}").write_bytes(os.urandom(1000 * number))
    sarah.go("/dashboard/")
    site = sarah.command("nightsafe setup").split()[-1]

    kit = computer.home / "kit.txt"
    with computer.at_terminal("setup", site) as terminal:
        connect(sarah, terminal, "laptop")
        terminal.answer("New passphrase for the vault:", PASSPHRASE)
        terminal.answer("The same once more:", PASSPHRASE)
        terminal.answer("Keep it in", "")
        terminal.answer("Make one? [Y/n]", "")
        terminal.answer("Where shall it be written?", str(kit))
        asked = re.findall(r"\d+", terminal.wait_for(" off the kit").rpartition("words ")[2])
        words = code_on(kit.read_text())
        terminal.answer("Words ", " ".join(words.split()[int(number) - 1] for number in asked))
        assert f"{computer.work}  30 files" in terminal.wait_for("Folders [all]: ")
        terminal.type()
        terminal.answer("Others, with a comma between", "")
        terminal.answer("Schedule [daily 12:30]:", "every 4h")
        terminal.answer("Begin the first backup now?", "")
        terminal.wait_for("the backup is complete")
        assert terminal.end() == 0
    kit.rename(tmp_path / "paper")
    assert not [path for path in computer.home.rglob("*") if words in _text(path)]

    # A backup that is due fires by itself, and the website shows that the computer is protected.
    (computer.work / "a new letter").write_text("Dear Ada")
    first = computer.job()["snapshot_id"]
    with computer.resident():
        computer.clock.write_text(str(4 * HOUR + 60))
        wait_until(lambda: computer.job()["snapshot_id"] != first, 60, lambda: str(computer.job()))
        wait_until(lambda: computer.job()["state"] == "complete", 60)
    sarah.go("/dashboard/")
    wait_until(lambda: sarah.page.reload() and sarah.standing() == "protected", 30, sarah.standing)
    assert json.loads(computer.run("drill", "--json"))["passed"] is True

    # The folder is gone, and comes back.
    before = contents(computer.work)
    shutil.rmtree(computer.work)
    computer.run("restore", "latest", "--target", "/")
    assert contents(computer.work) == before

    # The computer is gone: with the kit alone, on another one, and with stock restic.
    sarah.go("/dashboard/")
    sarah.follow("laptop")
    sarah.follow("Add a credential")
    sarah.page.get_by_role("radio", name="Restore:").check()
    sarah.press("Make it and show the secret")
    line = sarah.command("@")
    restic = sarah.restic(path_of(NEWEST_RESTIC), tmp_path / "cache", words)
    other = Computer(tmp_path / "other")
    other.run("login", typed=f"{line}\n")
    with other.at_terminal("restore", "latest", "--target", str(tmp_path / "one")) as terminal:
        terminal.answer("Passphrase of the vault:", words.upper())
        assert terminal.end() == 0
    restic("restore", "latest", "--target", str(tmp_path / "two"))
    for target in (tmp_path / "one", tmp_path / "two"):
        assert contents(target / computer.work.relative_to("/")) == before


def _text(path: Path) -> str:
    return path.read_bytes().decode(errors="replace") if path.is_file() else ""
