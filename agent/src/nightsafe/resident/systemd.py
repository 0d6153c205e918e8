"""The resident agent as a unit of systemd: of a user's own, or of the system for root.

https://www.freedesktop.org/software/systemd/man/latest/systemd.service.html
"""

import contextlib
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from nightsafe.errors import SettingsError, UsageError
from nightsafe.fs.durability import replace_file

NAME = "nightsafe.service"
_SYSTEM = "/etc/systemd/system"
_CARRIED = (
    *("NIGHTSAFE_REPOSITORY", "NIGHTSAFE_PASSWORD_FILE", "NIGHTSAFE_PASSWORD_COMMAND"),
    *("NIGHTSAFE_CONFIG_DIR", "NIGHTSAFE_CACHE_DIR", "NIGHTSAFE_STATE_DIR"),
    *("NIGHTSAFE_CACERT", "NIGHTSAFE_PATIENCE"),
    *("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "NO_PROXY"),
)
"""What the agent needs of the environment that it was installed from."""
SECRET = ("NIGHTSAFE_PASSWORD", "NIGHTSAFE_SECRET")
"""What would be a secret in a file that others may read, so it is never written there."""
_WAIT = 60  # seconds for systemd's answer


@dataclass(frozen=True)
class Manager:
    """The user's systemd, or the system's."""

    is_system: bool

    @property
    def path(self) -> str:
        """Where the unit lies."""
        if self.is_system:
            return os.path.join(_SYSTEM, NAME)
        config = os.environ.get("XDG_CONFIG_HOME") or os.path.expanduser("~/.config")
        return os.path.join(config, "systemd", "user", NAME)

    def command(self, *words: str) -> list[str]:
        """Return a command line for systemctl."""
        return ["systemctl", *([] if self.is_system else ["--user"]), *words]

    def install(self, *, environ: Mapping[str, str] = os.environ) -> None:
        """Write the unit and have it started, now and with the computer.

        Raises SettingsError, which says how far that went.
        """
        require_systemd()
        text = unit_text(self.is_system, environ)
        try:
            replace_file(self.path, text, mode=0o644, folder_mode=0o755)
        except OSError as error:
            raise SettingsError(f"{self.path} cannot be written: {error.strerror}.") from error
        for words in (("daemon-reload",), ("enable", NAME), ("restart", NAME)):
            self._ask(*words)

    def uninstall(self) -> None:
        """Have it stopped, and remove the unit.

        Raises SettingsError; UsageError if there is none.
        """
        require_systemd()
        if not os.path.lexists(self.path):
            raise UsageError(f"There is no unit {self.path}, so there is nothing to uninstall.")
        self._ask("disable", "--now", NAME)
        try:
            os.unlink(self.path)
        except OSError as error:
            raise SettingsError(f"{self.path} cannot be removed: {error.strerror}.") from error
        self._ask("daemon-reload")

    def state(self) -> str:
        """Return systemd's word for the unit, such as active or failed; empty if it tells none."""
        with contextlib.suppress(OSError, subprocess.SubprocessError):
            done = subprocess.run(
                self.command("is-active", NAME),
                capture_output=True,
                text=True,
                check=False,
                timeout=_WAIT,
            )
            return done.stdout.strip()
        return ""

    def _ask(self, *words: str) -> None:
        command = self.command(*words)
        try:
            done = subprocess.run(
                command, capture_output=True, text=True, check=False, timeout=_WAIT
            )
        except subprocess.TimeoutExpired:
            raise SettingsError(f"`{' '.join(command)}` did not end in a minute.") from None
        if done.returncode:
            said = " ".join(done.stderr.split()) or f"status {done.returncode}"
            raise SettingsError(
                f"`{' '.join(command)}` failed: {said[:300]}. The unit is {self.path}; run that "
                "command by hand where systemd runs."
            )


def require_systemd() -> None:
    """Raise SettingsError where there is no systemd."""
    if sys.platform != "linux" or shutil.which("systemctl") is None:
        raise SettingsError(
            "There is no systemd on this computer. Have `nightsafe service run` started by "
            "whatever starts programs here; it runs in the foreground until it is stopped."
        )


def unit_text(is_system: bool, environ: Mapping[str, str]) -> str:
    """Return the unit. Raises SettingsError if it would hold a secret."""
    _require_no_secret(environ)
    network = "Wants=network-online.target\nAfter=network-online.target\n" if is_system else ""
    carried = "".join(
        f"Environment={_quoted(f'{name}={environ[name]}')}\n"
        for name in _CARRIED
        if environ.get(name)
    )
    command = " ".join(_quoted(word, is_command=True) for word in _command())
    return (
        f"[Unit]\nDescription=Nightsafe backups\n{network}\n"
        f"[Service]\nExecStart={command}\n{carried}"
        "Restart=on-failure\nRestartSec=30\nTimeoutStopSec=90\nIOSchedulingClass=idle\n\n"
        f"[Install]\nWantedBy={'multi-user.target' if is_system else 'default.target'}\n"
    )


def _command() -> Sequence[str]:
    return sys.executable, "-P", "-m", "nightsafe", "service", "run"


def _require_no_secret(environ: Mapping[str, str]) -> None:
    from urllib.parse import urlsplit

    if "@" in urlsplit(environ.get("NIGHTSAFE_REPOSITORY", "").removeprefix("rest:")).netloc:
        raise SettingsError(
            "NIGHTSAFE_REPOSITORY holds a secret, which a unit must not. Run `nightsafe login`, "
            "and install with that variable unset."
        )


def _quoted(word: str, *, is_command: bool = False) -> str:
    """Quote a word as systemd reads it: % begins a specifier, and $ a variable in commands."""
    if "\n" in word or "\r" in word:
        raise SettingsError("A line break in a setting cannot stand in a unit of systemd.")
    escaped = word.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
    return f'"{escaped.replace("$", "$$") if is_command else escaped}"'
