"""A throw-away PostgreSQL: made in a temporary folder, on a port of 127.0.0.1, and removed.

As root it runs as the user `postgres` or `nobody`, since PostgreSQL refuses root.
"""

import contextlib
import ctypes
import os
import pwd
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg

from backup_service.embedded.ports import any_port

START = 60.0  # seconds
# Loaded here, since between fork and exec nothing should be.
_libc = ctypes.CDLL(None) if sys.platform == "linux" else None
# Speed for durability: nothing here outlives the tests.
_OPTIONS = (
    "fsync=off",
    "synchronous_commit=off",
    "full_page_writes=off",
    "autovacuum=off",
    "max_connections=300",
    "listen_addresses=127.0.0.1",
)


def find_binaries() -> Path | None:
    """Return the folder of `initdb` and `postgres`, the newest on the machine; None without."""
    found = shutil.which("initdb")
    if found and shutil.which("postgres"):
        return Path(found).parent
    debian = Path("/usr/lib/postgresql").glob("*/bin/initdb")
    versions = {int(path.parts[-3]): path.parent for path in debian if path.parts[-3].isdecimal()}
    return versions[max(versions)] if versions else None


@contextlib.contextmanager
def running(binaries: Path) -> Iterator[str]:
    """Start a cluster for the length of a `with` block; yield its DATABASE_URL.

    Raises CalledProcessError or TimeoutError if it does not start.
    """
    user = _user()
    folder = Path(tempfile.mkdtemp(prefix="nightsafe-postgres-"))
    try:
        if user is not None:
            shutil.chown(folder, user, pwd.getpwnam(user).pw_gid)
        password, port = secrets.token_hex(16), any_port()
        _make(binaries, folder, user, password)
        server = _start(binaries, folder, user, port)
        url = f"postgres://postgres:{password}@127.0.0.1:{port}/postgres"
        try:
            _wait(url, folder, server)
            yield url
        finally:
            server.send_signal(signal.SIGINT)
            server.wait(timeout=30)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _user() -> str | None:
    if os.geteuid() != 0:
        return None
    known = {entry.pw_name for entry in pwd.getpwall()}
    return "postgres" if "postgres" in known else "nobody"


def _identity(user: str | None) -> dict[str, Any]:
    if user is None:
        return {}
    return {"user": user, "group": pwd.getpwnam(user).pw_gid, "extra_groups": []}


def _make(binaries: Path, folder: Path, user: str | None, password: str) -> None:
    secret = folder / "password"
    secret.write_text(password)
    if user is not None:
        shutil.chown(secret, user)
    command = [str(binaries / "initdb"), "--no-sync", "--username=postgres", f"--pwfile={secret}"]
    command += ["--auth=scram-sha-256", "--encoding=UTF8", "--locale=C"]
    subprocess.run(
        [*command, str(folder / "data")],
        cwd=folder,
        check=True,
        stdout=subprocess.DEVNULL,
        **_identity(user),
    )


def _start(binaries: Path, folder: Path, user: str | None, port: int) -> "subprocess.Popen[bytes]":
    settings = [*_OPTIONS, f"port={port}", f"unix_socket_directories={folder}"]
    options = [word for option in settings for word in ("-c", option)]
    with (folder / "log").open("wb") as log:
        return subprocess.Popen(
            [str(binaries / "postgres"), "-D", str(folder / "data"), *options],
            cwd=folder,
            stdout=log,
            stderr=log,
            preexec_fn=_die_with_us,
            **_identity(user),
        )


def _die_with_us() -> None:
    if _libc is not None:
        _libc.prctl(1, signal.SIGQUIT)  # PR_SET_PDEATHSIG: an immediate shutdown


def _wait(url: str, folder: Path, server: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + START
    while True:
        try:
            psycopg.connect(url).close()
            return
        except psycopg.OperationalError as error:
            if server.poll() is not None or time.monotonic() > deadline:
                raise TimeoutError((folder / "log").read_text()) from error
        time.sleep(0.05)
