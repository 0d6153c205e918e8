"""The data directory: everything that the embedded service keeps lies in it, for its owner only.

service.env     settings of the running service, read by every manage.py (0600)
launcher.lock   held while a launcher runs; its content is the launcher's process number
logs/           one file a process; the one before the last big one ends in .1
reserve         room that is given up when the disk is full
static/         the pages' static files, laid out anew at each start
clock           seconds that the service's clock is ahead; only while one tries what time does
nightsafe.sqlite3, secret-key, regions/ or stores/, mail/, valkey/, beat/, demo/, payments/
"""

import contextlib
import fcntl
import os
import re
import stat
from pathlib import Path

from backup_service.embedded.errors import AlreadyRunningError, DataDirectoryError
from backup_service.env import SERVICE_ENV

LOCK = "launcher.lock"
MARKS = (LOCK, SERVICE_ENV, "secret-key", "nightsafe.sqlite3")
LOG_LIMIT = 5_000_000  # bytes from which a log is put aside at the next start

_LINE = re.compile(r"([A-Z_][A-Z0-9_]*)='(.*)'")


def claim(path: Path) -> int:
    """Make the directory ours and return the descriptor that holds its lock.

    Raises DataDirectoryError or AlreadyRunningError.
    """
    try:
        _make(path)
        lock = os.open(path / LOCK, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise DataDirectoryError(
            f"The data directory {path} cannot be used: {error.strerror}. "
            "Choose another one: DATA_DIR=/some/folder."
        ) from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        text = _already_running(path, lock)
        os.close(lock)
        raise AlreadyRunningError(text) from error
    with contextlib.suppress(OSError):  # a full disk; nobody needs the number to start
        os.ftruncate(lock, 0)
        os.pwrite(lock, str(os.getpid()).encode(), 0)
    return lock


def _make(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.mkdir(mode=0o700, exist_ok=True)
    present = {entry.name for entry in path.iterdir()}
    if present and not present.intersection(MARKS):
        raise DataDirectoryError(
            f"{path} is not empty, and not a data directory of Nightsafe. "
            "Choose a new or empty folder: DATA_DIR=/some/folder."
        )
    path.chmod(0o700)
    for entry in path.iterdir():  # what was made by others, or moved here, may be open to all
        if not entry.is_symlink():
            entry.chmod(stat.S_IMODE(entry.stat().st_mode) & 0o700)


def _already_running(path: Path, lock: int) -> str:
    site = read_settings(path).get("NIGHTSAFE_SITE_URL", "an address not known yet")
    process = os.pread(lock, 20, 0).decode(errors="replace").strip()
    return (
        f"Nightsafe is already running on {path}, at {site} (process {process}). "
        "Stop it with Ctrl-C where it runs, or start another one with its own DATA_DIR and PORT."
    )


def read_settings(path: Path) -> dict[str, str]:
    """Return the contents of `service.env`; nothing if there is none yet."""
    try:
        lines = (path / SERVICE_ENV).read_text().splitlines()
    except FileNotFoundError:
        return {}
    return {found[1]: found[2] for line in lines if (found := _LINE.fullmatch(line))}


def write_settings(path: Path, settings: dict[str, str]) -> None:
    """Replace `service.env` at once. Raises DataDirectoryError for values it cannot hold."""
    for name, value in settings.items():
        if "'" in value or "\n" in value:
            raise DataDirectoryError(f"{name} may hold no quotation mark and no line break.")
    draft = path / f"{SERVICE_ENV}.new"
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.writelines(f"{name}='{value}'\n" for name, value in sorted(settings.items()))
    draft.replace(path / SERVICE_ENV)


def log_path(path: Path, name: str) -> Path:
    """Return where a process's log is."""
    return path / "logs" / f"{name}.log"


def open_log(path: Path, name: str) -> int:
    """Return a descriptor that appends to a process's log, after putting a big one aside."""
    log = log_path(path, name)
    log.parent.mkdir(mode=0o700, exist_ok=True)
    if log.exists() and log.stat().st_size > LOG_LIMIT:
        log.replace(log.with_suffix(".log.1"))
    return os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)


def last_lines(path: Path, name: str, *, count: int = 20) -> str:
    """Return the end of a process's log, for people."""
    try:
        with log_path(path, name).open("rb") as file:
            file.seek(max(0, os.fstat(file.fileno()).st_size - 8192))
            lines = file.read().decode(errors="replace").splitlines()
    except FileNotFoundError:
        return ""
    return "\n".join(f"    {line}" for line in lines[-count:])
