"""Run the agent as an ordinary user: `ordinary SOCKET` forks a process for each run.

The checkout and its Python may lie where such a user cannot go, so everything is loaded before
root's rights are given up; from then on the process may do what that user may do, and no more.
To load all that takes half a second, so that it is done once for all runs in the same locale,
which a process has from its start.
"""

import encodings
import importlib
import json
import multiprocessing
import os
import pkgutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Self

import nightsafe

UID, GID, TEAM = 61_234, 61_234, 61_299  # nobody's, on any machine that we know of


class Runner:
    """Runs the agent as an ordinary user with a second group, or as who runs the tests if not root.

    Of the `environment` of a run, what the interpreter itself looks at must be `born` with it.
    """

    def __init__(self, born: Mapping[str, str]) -> None:
        here, there = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with there:
            command = [sys.executable, "-m", "tests.support.hardship.ordinary", str(there.fileno())]
            self._born = {"PYTHONPATH": str(Path.cwd()), **born}
            self._process = subprocess.Popen(
                command,
                env=self._born,
                pass_fds=[there.fileno()],
                stdin=subprocess.DEVNULL,
            )
        self._asked = here

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._asked.close()
        self._process.wait(timeout=20)

    def run(
        self,
        arguments: Sequence[str | bytes],
        environment: Mapping[str, str],
        *,
        cwd: str | Path,
        together: bool = False,
    ) -> "subprocess.CompletedProcess[bytes]":
        """Run a command in a folder; `environment` comes on top of what this was born with.

        If `together`, what it says on both streams is in `stdout`, in the order in which it came.
        """
        whole = {**self._born, **environment}
        wanted = {
            "arguments": [_text(argument) for argument in arguments],
            "environment": {_text(name): _text(value) for name, value in whole.items()},
            "cwd": str(cwd),
        }
        with ExitStack() as stack:
            files = [stack.enter_context(tempfile.TemporaryFile()) for _ in range(2)]
            handles = [files[0 if together else number].fileno() for number in range(2)]
            socket.send_fds(self._asked, [json.dumps(wanted).encode()], handles)
            status = int(self._asked.recv(100))
            for file in files:
                file.seek(0)
            said, errors = (file.read() for file in files)
        return subprocess.CompletedProcess(list(arguments), status, said, errors)


def _text(value: str | bytes) -> str:
    return os.fsencode(value).decode("latin-1")


def main() -> None:
    """Fork a process for each run that is asked for; in each, be the agent."""
    for package in (nightsafe, encodings, multiprocessing):
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            _load(module.name)
    _load("multiprocessing.popen_fork")  # which a slow computer wants, for worker processes
    with socket.socket(fileno=int(sys.argv[1])) as asked:
        while True:
            message, handles, _flags, _address = socket.recv_fds(asked, 1 << 20, 2)
            if not message:
                return
            child = os.fork()
            if child == 0:
                break
            for handle in handles:
                os.close(handle)
            _, status = os.waitpid(child, 0)
            asked.send(b"%d" % os.waitstatus_to_exitcode(status))
    for number, handle in enumerate(handles, 1):
        os.dup2(handle, number)
        os.close(handle)
    _become(**json.loads(message))
    importlib.import_module("nightsafe.cli").command()


def _become(arguments: list[str], environment: dict[str, str], cwd: str) -> None:
    """Be a process as if it had been started by the ordinary user."""
    os.chdir(cwd)
    if os.geteuid() == 0:
        os.setgroups([TEAM])
        os.setgid(GID)
        os.setuid(UID)
        os.umask(0o022)
    os.environb.clear()
    for name, value in environment.items():
        os.environb[name.encode("latin-1")] = value.encode("latin-1")
    arguments = [os.fsdecode(argument.encode("latin-1")) for argument in arguments]
    sys.argv = ["nightsafe", *arguments]


def _load(name: str) -> None:
    try:
        importlib.import_module(name)
    except ImportError:  # those of other systems
        if not name.startswith(("encodings.", "multiprocessing.", "nightsafe._")):
            raise


if __name__ == "__main__":
    main()
