"""Today's peers beside the machine's own: `python -m tests.support.peers [--renew]` fetches them.

Debian's stable release has an old restic; its newer suites have today's. They are unpacked into
`.peers/` of the checkout with the package client, which uses a source list and state of its own
here: nothing that is installed is touched, and no root is needed. Packages come from the mirror
that the machine is set up for and are checked against Debian's keys, as for any installation.

A suite that is pinned gives the same version for ever, or an error. The moving one gives the newest
there is, and what it gave is printed: a new version may well answer otherwise.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from backup_service.env import BASE_DIR
from tests.support.programs import leave_out

FOLDER = BASE_DIR / ".peers"
_KEYS = Path("/usr/share/keyrings/debian-archive-keyring.gpg")


@dataclass(frozen=True)
class Peer:
    """A program of a Debian suite; `version` is a pattern, empty for the newest there is."""

    package: str
    suite: str
    version: str = ""

    @property
    def folder(self) -> Path:
        return FOLDER / f"{self.package}-{self.suite}"

    @property
    def binary(self) -> Path:
        return self.folder / "usr" / "bin" / self.package

    @property
    def wanted(self) -> str:
        """What the package client is asked for."""
        return f"{self.package}={self.version}" if self.version else f"{self.package}/{self.suite}"


RESTIC = Peer("restic", "trixie", "0.18.0-*")
NEWEST_RESTIC = Peer("restic", "sid")
REST_SERVER = Peer("restic-rest-server", "sid")
PEERS = (RESTIC, NEWEST_RESTIC, REST_SERVER)


def restics() -> list[str]:
    """Return the paths of the stock restics that are here, oldest first."""
    installed = shutil.which("restic")
    found = [] if installed is None else [installed]
    return found + [str(p.binary) for p in (RESTIC, NEWEST_RESTIC) if p.binary.exists()]


def path_of(peer: Peer) -> str:
    """Return a peer's program; where it is missing, CI fails and others skip, with the reason."""
    if not peer.binary.exists():
        reason = f"{peer.wanted} is not in .peers (on Debian: make peers)"
        if not peer.version:  # the moving suite may be broken for a day: no fault of this checkout
            pytest.skip(reason)
        leave_out(reason)
    return str(peer.binary)


def fetch(*, renew: bool = False) -> bool:
    """Unpack what is missing, or all anew; say what is here. Return whether all pinned ones are."""
    missing = [peer for peer in PEERS if renew or not peer.binary.exists()]
    if missing and (mirror := _mirror()) is not None:
        FOLDER.mkdir(exist_ok=True)
        with tempfile.TemporaryDirectory(prefix="unpack-", dir=FOLDER) as scratch:
            client = _Client(Path(scratch), mirror)
            for suite in dict.fromkeys(peer.suite for peer in missing):
                client.fetch_suite(suite, [peer for peer in missing if peer.suite == suite])
    for peer in PEERS:
        print(f"{peer.package} of {peer.suite}: {_said(peer)}", flush=True)
    return all(peer.binary.exists() for peer in PEERS if peer.version)


def _said(peer: Peer) -> str:
    if not peer.binary.exists():
        return "not here; its tests are left out"
    return (peer.folder / "VERSION").read_text().strip()


def _mirror() -> str | None:
    """Return the address of the Debian mirror that this machine uses; None where there is none."""
    if shutil.which("apt-get") is None or not _KEYS.exists():
        print("Today's peers are left out: they come from Debian's suites, and this is no Debian.")
        return None
    asked = ["apt-get", "indextargets", "--format", "$(REPO_URI)", "Created-By: Packages"]
    said = subprocess.run(asked, capture_output=True, text=True, check=False).stdout.split()
    plain = [uri for uri in said if uri.rstrip("/").endswith("/debian")]
    if not plain:
        print("Today's peers are left out: this machine knows no mirror of Debian.")
        return None
    return plain[0]


class _Client:
    """The package client with lists, cache and sources of its own below `scratch`."""

    def __init__(self, scratch: Path, mirror: str) -> None:
        self.scratch = scratch
        self.mirror = mirror

    def fetch_suite(self, suite: str, peers: Sequence[Peer]) -> None:
        """Unpack some programs of a suite; what cannot be had is said and left as it was."""
        place = self.scratch / suite
        for name in ("sources", "lists/partial", "cache/archives/partial"):
            (place / name).mkdir(parents=True)
        source = f"Types: deb\nURIs: {self.mirror}\nSuites: {suite}\nComponents: main\n"
        (place / "sources" / "peers.sources").write_text(f"{source}Signed-By: {_KEYS}\n")
        if self._apt(place, "update"):
            for peer in peers:
                self._unpack(place, peer)

    def _unpack(self, place: Path, peer: Peer) -> None:
        if not self._apt(place, "download", peer.wanted):
            return
        (package,) = place.glob(f"{peer.package}_*.deb")
        tree = place / peer.package
        subprocess.run(["dpkg", "-x", str(package), str(tree)], check=True)
        version = subprocess.run(
            ["dpkg-deb", "-f", str(package), "Version"], capture_output=True, text=True, check=True
        )
        (tree / "VERSION").write_text(version.stdout)
        shutil.rmtree(peer.folder, ignore_errors=True)
        tree.rename(peer.folder)

    def _apt(self, place: Path, *arguments: str) -> bool:
        options = [
            "Dir::Etc::sourcelist=/dev/null",
            f"Dir::Etc::sourceparts={place}/sources",
            f"Dir::State::lists={place}/lists",
            f"Dir::Cache={place}/cache",
            "Acquire::Languages=none",
            "APT::Sandbox::User=root",  # its own user could not enter this folder
        ]
        command = ["apt-get", "-qq", *(word for option in options for word in ("-o", option))]
        done = subprocess.run(
            [*command, *arguments], cwd=place, capture_output=True, text=True, check=False
        )
        if done.returncode != 0:
            print(f"apt-get {' '.join(arguments)}: {done.stderr.strip()}", flush=True)
        return done.returncode == 0


def main() -> int:
    """Fetch; return the exit status, which in CI tells whether the pinned ones are here."""
    parser = argparse.ArgumentParser(prog="python -m tests.support.peers", description=__doc__)
    parser.add_argument("--renew", action="store_true", help="fetch all of them anew")
    complete = fetch(renew=parser.parse_args().renew)
    return 1 if os.environ.get("CI") and not complete else 0


if __name__ == "__main__":
    sys.exit(main())
