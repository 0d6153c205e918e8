"""Servers of other people, started for tests over a folder: rclone's and restic's own."""

import base64
import hashlib
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from backup_service.embedded.ports import any_port
from tests.support import peers
from tests.support.programs import program
from tests.support.waiting import wait_for_port


@contextmanager
def rclone_server(folder: Path) -> Iterator[str]:
    """`rclone serve restic` over a folder; yields the address without credential."""
    folder.mkdir(parents=True, exist_ok=True)
    port = any_port()
    command = [program("rclone"), "serve", "restic", "--addr", f"127.0.0.1:{port}"]
    command += ["--user", "device-1", "--pass", "s3cret", "--config", "/dev/null", str(folder)]
    with _answering(command, port) as address:
        yield address


@contextmanager
def stock_rest_server(folder: Path) -> Iterator[str]:
    """The rest-server of restic's authors over a folder; yields the address without credential."""
    folder.mkdir(parents=True, exist_ok=True)
    digest = base64.b64encode(hashlib.sha1(b"s3cret").digest()).decode()
    (folder / ".htpasswd").write_text(f"device-1:{{SHA}}{digest}\n")
    port = any_port()
    command = [peers.path_of(peers.REST_SERVER), "--listen", f"127.0.0.1:{port}"]
    with _answering([*command, "--path", str(folder)], port) as address:
        yield address


@contextmanager
def _answering(command: list[str], port: int) -> Iterator[str]:
    """Run a server for the length of a `with` block; yield the address of its vault."""
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
        try:
            wait_for_port(port, server)
            yield f"http://127.0.0.1:{port}/vault/"
        finally:
            server.terminate()
            server.wait(timeout=10)
