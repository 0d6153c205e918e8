"""Real programs that tests run: found, or missed loudly."""

import base64
import hashlib
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from backup_service.embedded.ports import any_port
from tests.support import peers


def program(name: str) -> str:
    """Where a program is. Without it the test fails in CI and is skipped elsewhere."""
    found = shutil.which(name)
    if found:
        return found
    if os.environ.get("CI"):
        pytest.fail(f"{name} is not installed, and this test must not be skipped in CI")
    pytest.skip(f"{name} is not installed")


def free_port() -> int:
    """A port that nobody listens on, and that stays this process's own."""
    return any_port()


@contextmanager
def rclone_server(folder: Path) -> Iterator[str]:
    """`rclone serve restic` over a folder; yields the address without credential."""
    port = free_port()
    command = [program("rclone"), "serve", "restic", "--addr", f"127.0.0.1:{port}"]
    command += ["--user", "device-1", "--pass", "s3cret", "--config", "/dev/null", str(folder)]
    folder.mkdir(parents=True, exist_ok=True)
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
        try:
            _wait_for(port, server)
            yield f"http://127.0.0.1:{port}/vault/"
        finally:
            server.terminate()
            server.wait(timeout=10)


@contextmanager
def stock_rest_server(folder: Path) -> Iterator[str]:
    """The rest-server of restic's authors over a folder; yields the address without credential."""
    port = free_port()
    folder.mkdir(parents=True, exist_ok=True)
    digest = base64.b64encode(hashlib.sha1(b"s3cret").digest()).decode()
    (folder / ".htpasswd").write_text(f"device-1:{{SHA}}{digest}\n")
    command = [peers.path_of(peers.REST_SERVER), "--listen", f"127.0.0.1:{port}"]
    command += ["--path", str(folder)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
        try:
            _wait_for(port, server)
            yield f"http://127.0.0.1:{port}/vault/"
        finally:
            server.terminate()
            server.wait(timeout=10)


def _wait_for(port: int, server: "subprocess.Popen[bytes]") -> None:
    for _ in range(200):
        if server.poll() is not None:
            pytest.fail("the server ended before it answered")
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    pytest.fail("the server does not answer")
