"""The launcher as a person meets it: started, started twice, hurt, stopped, and shown at work."""

import hashlib
import json
import os
import re
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from backup_service.embedded import datadir
from backup_service.env import BASE_DIR
from tests.journeys.conftest import StartService
from tests.journeys.test_faults import enrol
from tests.support.journeys.service import (
    STOP,
    Service,
    launcher,
    processes_about,
)
from tests.support.programs import program
from tests.support.waiting import wait_until

pytestmark = pytest.mark.journey


def get(url: str) -> tuple[int, dict[str, object]]:
    """Return status and JSON of an address, whatever the status is."""
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as refusal:
        with refusal:
            return refusal.code, json.load(refusal)


def is_well(url: str) -> bool:
    try:
        return get(url)[0] == 200
    except OSError:
        return False


def run_once(
    service: Service, source: Path, *, before: Sequence[str] = ()
) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [*before, *launcher("run")],
        env=service.environment | {"ONCE": "1", "SOURCE": str(source)},
        cwd=BASE_DIR,
        capture_output=True,
        text=True,
        check=False,
    )


def without_root_s_privilege() -> list[str]:
    """Return what to put before a command so that modes bind root as well."""
    if os.geteuid() != 0:
        return []
    dropped = "-dac_override,-dac_read_search"
    return [program("setpriv"), f"--bounding-set={dropped}", f"--inh-caps={dropped}"]


def small_tree(folder: Path) -> Path:
    """Return a folder with one of most things."""
    top = folder / "a tree"
    (top / "deeper" / "empty").mkdir(parents=True)
    (top / "text").write_text("to be kept\n")
    (top / "large").write_bytes(os.urandom(3_000_000))
    (top / "deeper" / "späte Grüße").write_text("hello")
    (top / "link").symlink_to("text")
    (top / "text").chmod(0o640)
    os.utime(top / "large", ns=(10**18 + 1, 10**18 + 1))
    return top


@dataclass
class Shown:
    """A demonstration that has ended."""

    service: Service
    tree: Path
    output: str

    @property
    def restored(self) -> Path:
        return self.service.data_dir / "demo" / "restored" / self.tree.name


@pytest.fixture(scope="class")
def shown(class_service: StartService, tmp_path_factory: pytest.TempPathFactory) -> Shown:
    service, tree = class_service(), small_tree(tmp_path_factory.mktemp("tree"))
    done = run_once(service, tree)
    assert done.returncode == 0, done.stdout + done.stderr
    return Shown(service, tree, done.stdout)


class TestOnceAndAgain:
    """The tests of this class go on where the one before ended."""

    def test_what_comes_back_is_equal(self, shown: Shown) -> None:
        assert "3 files, 3 folders, 1 links: all equal" in shown.output
        large = (shown.restored / "large").read_bytes()
        assert large == (shown.tree / "large").read_bytes()
        assert not processes_about(shown.service.data_dir)

    def test_nothing_is_offered_that_has_stopped(self, shown: Shown) -> None:
        assert "Sign in at" not in shown.output
        assert "What was restored is in " in shown.output

    def test_secrets_are_for_their_owner_only(self, shown: Shown) -> None:
        data_dir = shown.service.data_dir
        assert data_dir.stat().st_mode & 0o777 == 0o700
        for name in ["demo.txt", "service.env", "secret-key", "demo/passphrase", "demo/vault.json"]:
            assert (data_dir / name).stat().st_mode & 0o777 == 0o600, name

    def test_secrets_are_in_no_log_and_not_in_the_database(self, shown: Shown) -> None:
        data_dir = shown.service.data_dir
        passphrase = (data_dir / "demo" / "passphrase").read_bytes().strip()
        secret = json.loads((data_dir / "demo" / "vault.json").read_text())["secret"].encode()
        places = [*data_dir.glob("logs/*"), *data_dir.glob("nightsafe.sqlite3*")]
        assert len(places) > 5
        for path in places:
            assert passphrase not in path.read_bytes(), path
            assert secret not in path.read_bytes(), path

    def test_the_next_time_brings_back_what_is_new(self, shown: Shown) -> None:
        (shown.tree / "new").write_text("since then")
        again = run_once(shown.service, shown.tree)
        assert again.returncode == 0, again.stdout + again.stderr
        assert "4 files" in again.stdout
        assert (shown.restored / "new").read_text() == "since then"

    def test_a_failing_step_is_named_with_the_agent_s_own_words(self, shown: Shown) -> None:
        (shown.service.data_dir / "demo" / "passphrase").write_text("another one")
        done = run_once(shown.service, shown.tree)
        assert done.returncode == 1
        assert "Backup    FAILED" in done.stdout
        assert "nightsafe: `nightsafe backup` failed: " in done.stderr
        assert "passphrase" in done.stderr
        assert not processes_about(shown.service.data_dir)


class TestOnce:
    def test_an_unreadable_file_is_told_and_the_status_says_so(
        self, own_service: StartService, tmp_path: Path
    ) -> None:
        tree = small_tree(tmp_path)
        (tree / "text").chmod(0)
        done = run_once(own_service(), tree, before=without_root_s_privilege())
        assert done.returncode == 3, done.stdout + done.stderr
        assert "1 could not be read" in done.stdout

    def test_it_can_be_stopped_in_the_middle(
        self, own_service: StartService, tmp_path: Path
    ) -> None:
        service, tree = own_service(), small_tree(tmp_path)
        with subprocess.Popen(
            launcher("run"),
            env=service.environment | {"ONCE": "1", "SOURCE": str(tree)},
            cwd=BASE_DIR,
            stdout=subprocess.PIPE,
            text=True,
        ) as run:
            assert run.stdout is not None
            for line in run.stdout:
                if "Customer" in line:
                    run.send_signal(signal.SIGINT)
        assert run.returncode == 130
        assert not processes_about(service.data_dir)
        assert run_once(service, tree).returncode == 0

    def test_a_source_that_holds_the_data_is_refused(
        self, own_service: StartService, tmp_path: Path
    ) -> None:
        done = run_once(own_service(), tmp_path)
        assert done.returncode == 1
        assert "contains the data directory" in done.stderr

    def test_a_missing_source_is_refused(self, own_service: StartService, tmp_path: Path) -> None:
        done = run_once(own_service(), tmp_path / "nothing")
        assert done.returncode == 1
        assert "does not exist" in done.stderr


class TestServe:
    def test_site_and_gateway_are_well(self, service: Service) -> None:
        for url in (service.url, service.gateway_url):
            assert get(f"{url}/healthz") == (200, {"ok": True, "database": "ok", "broker": "ok"})
            assert get(f"{url}/readyz")[0] == 200

    def test_nothing_listens_beyond_this_computer(self, service: Service) -> None:
        listening = listeners(processes_about(service.data_dir))
        assert len(listening) == 4  # site, gateway, broker, payments
        assert {address for address, _ in listening} == {"127.0.0.1"}

    def test_no_secret_is_in_a_command_line(self, service: Service) -> None:
        password = (service.data_dir / "valkey" / "valkey.conf").read_text()
        password = password.partition("requirepass ")[2].partition("\n")[0]
        assert len(password) > 30
        assert not [line for line in processes_about(service.data_dir).values() if password in line]

    def test_mails_are_for_whoever_started_it(self, service: Service) -> None:
        browser = urllib.request.build_opener(urllib.request.HTTPCookieProcessor())
        address, _, token = service.output.partition("Mails ")[2].split()[:3]
        assert address == f"{service.url}/mail/"
        with pytest.raises(urllib.error.HTTPError, match="403") as refused:
            browser.open(address)
        with refused.value as answer:
            checked = re.search(r'csrfmiddlewaretoken" value="(\w+)"', answer.read().decode())
        assert checked is not None
        fields = {"token": token.rstrip(")"), "csrfmiddlewaretoken": checked[1]}
        with browser.open(address, urllib.parse.urlencode(fields).encode()) as answer:
            assert b"Mails sent by this service" in answer.read()
        with browser.open(address) as answer:
            assert b"Mails sent by this service" in answer.read()

    def test_manage_py_speaks_to_it(self, service: Service) -> None:
        regions = service.manage("region", "status", "--json")["regions"]
        assert [(one["region"], one["reachable"]) for one in regions] == [("a", True), ("b", True)]

    def test_a_second_start_on_its_data_is_refused(self, service: Service) -> None:
        environment = service.environment | {"PORT": "0"}
        done = subprocess.run(
            launcher("serve"), env=environment, cwd=BASE_DIR, capture_output=True, text=True
        )
        assert done.returncode == 1
        assert f"already running on {service.data_dir}, at {service.url}" in done.stderr
        assert is_well(f"{service.url}/readyz")

    def test_a_taken_port_is_refused(self, service: Service, own_service: StartService) -> None:
        environment = own_service().environment | {"PORT": service.port}
        done = subprocess.run(
            launcher("serve"), env=environment, cwd=BASE_DIR, capture_output=True, text=True
        )
        assert done.returncode == 1
        assert f"Port {service.port} is taken" in done.stderr


class TestLife:
    def test_data_and_addresses_outlive_a_restart(self, own_service: StartService) -> None:
        service = own_service().start()
        email = "anna@example.org"
        service.manage("account", "create", "--email", email, "--json")
        before = service.url, service.gateway_url
        began = time.monotonic()
        assert service.stop() == 0
        assert time.monotonic() - began < 15
        assert not processes_about(service.data_dir)
        service.start()
        assert (service.url, service.gateway_url) == before
        assert "already" in service.manage("account", "create", "--email", email, check=False)
        assert service.stop(signal.SIGINT) == 0  # Ctrl-C
        assert not processes_about(service.data_dir)

    def test_a_killed_launcher_leaves_nothing_behind(self, own_service: StartService) -> None:
        service = own_service().start()
        assert len(processes_about(service.data_dir)) >= 10
        service.kill("launcher")
        wait_until(lambda: not processes_about(service.data_dir), 5.0)

        service.start()
        assert is_well(f"{service.url}/readyz")
        service.kill("reaper")  # then the kernel ends the children, and they their workers
        service.kill("launcher")
        wait_until(
            lambda: not processes_about(service.data_dir),
            STOP,
            lambda: str(processes_about(service.data_dir)),
        )

    def test_what_cannot_live_stops_everything(self, own_service: StartService) -> None:
        service = own_service(NIGHTSAFE_LOG_LEVEL="NONSENSE")
        environment = service.environment
        done = subprocess.run(
            launcher("serve"), env=environment, cwd=BASE_DIR, capture_output=True, text=True
        )
        assert done.returncode == 1
        assert "could not be prepared" in done.stderr
        assert "NONSENSE" in done.stderr
        assert not processes_about(service.data_dir)

    def test_without_its_broker_it_starts_stores_and_restores(
        self, own_service: StartService, tmp_path: Path
    ) -> None:
        service = own_service()
        service.data_dir.mkdir()
        senseless = "redis://:two words@127.0.0.1:1/0"  # a password that its settings cannot hold
        datadir.write_settings(service.data_dir, {"NIGHTSAFE_BROKER_URL": senseless})
        service.start()
        assert "valkey died 5 times within seconds of its start. All else goes on" in service.output
        for url in (service.url, service.gateway_url):
            assert get(f"{url}/healthz")[0] == 200
            assert get(f"{url}/readyz")[0] == 503
        holder = enrol(service, tmp_path / "home").holder
        content = os.urandom(100_000)
        name = hashlib.sha256(content).hexdigest()
        assert holder.request("POST", f"data/{name}", content)[0] == 200
        assert holder.request("GET", f"data/{name}") == (200, content)
        assert service.stop() == 0


@pytest.fixture(scope="class")
def hurt(class_service: StartService) -> Service:
    return class_service().start()


class TestHurt:
    """What is hurt here heals, so the tests share a service."""

    @pytest.mark.parametrize("name", ["site", "gateway", "worker", "beat"])
    def test_every_process_comes_back_after_its_death(self, hurt: Service, name: str) -> None:
        dead = hurt.kill(name)
        wait_until(lambda: hurt.pid_of(name) not in (None, dead), 10.0)
        for url in (hurt.url, hurt.gateway_url):
            wait_until(lambda: is_well(f"{url}/readyz"), 30.0)  # noqa: B023
        assert f"{name} was ended by SIGKILL; it is started again." in hurt.output

    def test_the_broker_s_death_is_told_and_healed(self, hurt: Service) -> None:
        dead = hurt.kill("valkey", signal.SIGSTOP)
        told = {"database": "ok", "broker": "does not answer"}
        assert get(f"{hurt.gateway_url}/healthz") == (200, {"ok": True} | told)
        status, parts = get(f"{hurt.url}/readyz")
        assert (status, parts["broker"]) == (503, "does not answer")
        hurt.kill("valkey")
        wait_until(lambda: hurt.pid_of("valkey") not in (None, dead), 10.0)
        wait_until(lambda: get(f"{hurt.url}/healthz")[1]["broker"] == "ok", 10.0)
        forget = "from storage.models import Heartbeat; Heartbeat.objects.all().delete()"
        hurt.manage("shell", "-c", forget)  # so that whatever is heard of it comes after
        wait_until(lambda: is_well(f"{hurt.url}/readyz"), 40.0, lambda: hurt.log("worker"))


def listeners(pids: dict[int, str]) -> set[tuple[str, int]]:
    """Return (address, port) of every TCP socket that some of these processes listen on."""
    inodes = set()
    for pid in pids:
        for link in Path(f"/proc/{pid}/fd").glob("*"):
            target = str(link.readlink()) if link.is_symlink() else ""
            if target.startswith("socket:["):
                inodes.add(target[8:-1])
    found = set()
    for family, table in ((socket.AF_INET, "tcp"), (socket.AF_INET6, "tcp6")):
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
            words = line.split()
            if words[3] == "0A" and words[9] in inodes:
                address, port = words[1].split(":")
                raw = bytes.fromhex(address)
                raw = b"".join(raw[i : i + 4][::-1] for i in range(0, len(raw), 4))
                found.add((socket.inet_ntop(family, raw), int(port, 16)))
    return found
