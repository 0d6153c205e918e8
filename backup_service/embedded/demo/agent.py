"""Runs the agent as a customer does: in a process of its own that knows the passphrase."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from backup_service.embedded.demo.customer import DemoVault
from backup_service.embedded.demo.errors import DemoError
from backup_service.embedded.demo.files import DemoFiles

INCOMPLETE = 3  # the agent's exit status when some files could not be read or restored
_PATIENCE = "60"  # seconds; the service is on this computer
_KEPT = ("PATH", "HOME", "LANG", "LC_ALL", "LC_CTYPE", "TMPDIR", "USER", "LOGNAME")


@dataclass(frozen=True)
class AgentResult:
    """The agent's own summary, and the issues it told of."""

    summary: dict[str, Any]
    issues: Sequence[dict[str, Any]]

    @property
    def failures(self) -> list[dict[str, Any]]:
        """The issues because of which something is missing."""
        return [issue for issue in self.issues if issue["kind"] in ("unreadable", "failed")]


class Agent:
    """The command `nightsafe` with everything it needs in its environment."""

    def __init__(self, files: DemoFiles, vault: DemoVault) -> None:
        self._command = str(Path(sys.executable).with_name("nightsafe"))
        self._log = files.data_dir / "logs" / "agent.log"
        kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
        self._environment = kept | {
            "NIGHTSAFE_REPOSITORY": vault.url,
            "NIGHTSAFE_USERNAME": vault.username,
            "NIGHTSAFE_SECRET": vault.secret,
            "NIGHTSAFE_PASSWORD_FILE": str(files.passphrase),
            "NIGHTSAFE_CACHE_DIR": str(files.folder / "agent-cache"),
            "NIGHTSAFE_CONFIG_DIR": str(files.folder / "agent-config"),
            "NIGHTSAFE_PATIENCE": _PATIENCE,
        }

    def init(self) -> None:
        """Set the vault up. Raises DemoError with what the agent said."""
        self._run(["init"], folder=Path("/"), tell=lambda event: None)

    def backup(self, source: Path, tell: Callable[[dict[str, Any]], None]) -> AgentResult:
        """Back up a file or folder under its own name. Raises DemoError."""
        return self._run(["backup", "--", source.name], folder=source.parent, tell=tell)

    def restore(
        self, snapshot: str, target: Path, tell: Callable[[dict[str, Any]], None]
    ) -> AgentResult:
        """Restore a snapshot into a folder. Raises DemoError."""
        return self._run(["restore", snapshot, "--target", str(target)], folder=target, tell=tell)

    def _run(
        self, words: list[str], *, folder: Path, tell: Callable[[dict[str, Any]], None]
    ) -> AgentResult:
        issues: list[dict[str, Any]] = []
        last: dict[str, Any] = {}
        with self._log.open("ab") as log:
            process = self._start(["--json", *words], folder, log.fileno())
            with process:
                for line in process.stdout or ():
                    event = _event(line)
                    kind = event.get("event", "summary")
                    if kind == "issue":
                        issues.append(event)
                    elif kind == "progress":
                        tell(event)
                    else:
                        last = event
        if process.returncode not in (0, INCOMPLETE) or last.get("event") == "error":
            said = last.get("message") or f"status {process.returncode}, see {self._log}"
            raise DemoError(f"`nightsafe {words[0]}` failed: {said}")
        return AgentResult(last, issues)

    def _start(self, words: list[str], folder: Path, log: int) -> "subprocess.Popen[bytes]":
        try:
            return subprocess.Popen(
                [self._command, *words],
                env=self._environment,
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
            )
        except OSError as error:
            raise DemoError(
                f"The agent {self._command} cannot be started: {error.strerror}. "
                "Run `make install` again."
            ) from error


def _event(line: bytes) -> dict[str, Any]:
    try:
        value = json.loads(line)
    except ValueError:
        return {"event": "unknown"}
    return value if isinstance(value, dict) else {"event": "unknown"}
