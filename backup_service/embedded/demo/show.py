"""Prints what the demonstration does: a line a step, and hints at the end."""

import shlex
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from accounts.templatetags.amounts import amount
from backup_service.embedded.demo.files import DemoFiles, write_private
from backup_service.env import BASE_DIR

_WIDTH = 70
_SHOWN = 20


@dataclass
class Step:
    """One step under way; `result` is printed at its end."""

    name: str
    result: str = ""

    def progress(self, event: dict[str, Any]) -> None:
        """Show how far the agent is."""
        total = event.get("total_bytes")
        of = f" of {size(total)}" if total else ""
        self.passing(f"{event.get('files', 0)} files, {size(event.get('bytes', 0))}{of}")

    def passing(self, text: str) -> None:
        """Show something that the next text replaces; only on a terminal."""
        if sys.stdout.isatty():
            print(f"\r\033[K  {self.name:<9} {text} ...", end="", flush=True)


@contextmanager
def step(name: str) -> Iterator[Step]:
    """Print a step's line with its time when the `with` block ends."""
    one = Step(name)
    begun = time.monotonic()
    one.passing("")
    try:
        yield one
    except BaseException:
        _line(f"  {name:<9} FAILED")
        raise
    _line(f"  {name:<9} {one.result:<{_WIDTH}} {time.monotonic() - begun:6.1f} s")


def _line(text: str) -> None:
    print(("\r\033[K" if sys.stdout.isatty() else "") + text, flush=True)


def print_list(what: str, texts: Sequence[str]) -> None:
    """Print the first few of a list of troubles, if there are any."""
    if texts:
        _line(f"            {len(texts)} {what}:")
    for text in texts[:_SHOWN]:
        _line(f"              {text}")
    if len(texts) > _SHOWN:
        _line(f"              and {len(texts) - _SHOWN} more")


def size(count: float) -> str:
    """Return bytes as the pages show them, for a terminal of any encoding."""
    return amount(int(count)).replace("\u00a0", " ")


def write_hints(files: DemoFiles, *, url: str, username: str, secret: str) -> None:
    """Write the two files that a shell can read to use the vault by hand (0600)."""
    scheme, _, rest = url.partition("://")
    address = files.folder / "restic-address"
    write_private(address, f"rest:{scheme}://{username}:{secret}@{rest}\n")
    restic = {
        "RESTIC_REPOSITORY_FILE": str(address),
        "RESTIC_PASSWORD_FILE": str(files.passphrase),
    }
    agent = {
        "NIGHTSAFE_REPOSITORY": url,
        "NIGHTSAFE_USERNAME": username,
        "NIGHTSAFE_SECRET": secret,
        "NIGHTSAFE_PASSWORD_FILE": str(files.passphrase),
    }
    for name, variables in (("restic.env", restic), ("agent.env", agent)):
        lines = [f"export {key}={shlex.quote(value)}\n" for key, value in variables.items()]
        write_private(files.folder / name, "".join(lines))


def what_is_left(files: DemoFiles) -> str:
    """Return what is left to see when the service stops now."""
    return (
        f"\nThe service stops now. What was restored is in {_short(files.restored)}\n"
        "`make run` without ONCE goes on serving, and says how to sign in.\n"
    )


def where_to_look(files: DemoFiles, *, site_url: str) -> str:
    """Return how to sign in and what else to try."""
    sign_in = "".join(f"  {line}\n" for line in files.sign_in.read_text().splitlines()[1:])
    agent = _short(Path(sys.executable).with_name("nightsafe"))
    return (
        f"\nTo look at it (e-mail and password are kept in {_short(files.sign_in)}):\n"
        f"  Sign in at  {site_url}/accounts/login/\n{sign_in}"
        f"  Mails       {site_url}/mail/ (the first time with the token that is shown above)\n"
        f"  Restored    {_short(files.restored)}\n"
        f"  The agent:     ( . {_short(files.folder / 'agent.env')}; {agent} snapshots )\n"
        f"  Stock restic:  ( . {_short(files.folder / 'restic.env')}; restic snapshots )\n"
    )


def _short(path: Path) -> str:
    """A path as one would type it in the folder of the code."""
    return shlex.quote(str(path.relative_to(BASE_DIR) if path.is_relative_to(BASE_DIR) else path))
