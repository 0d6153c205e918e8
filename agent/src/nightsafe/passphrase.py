"""The vault's passphrase: from a file, a command, the environment, the keychain, or a person.

It is never an option's value, where every user of the computer could see it.
"""

import importlib
import os
import sys
from collections.abc import Mapping
from typing import NamedTuple

from nightsafe.errors import SettingsError, UsageError
from nightsafe.system import IS_WINDOWS

KEYCHAIN_SERVICE = "nightsafe"
"""Under this name, with the repository's address as the user, the keychain may hold it."""


class PassphraseSource(NamedTuple):
    """Where to look first: a file's path or a command line. `location` is the repository."""

    file: str | None = None
    command: str | None = None
    location: str = ""


def find_passphrase(
    environ: Mapping[str, str] = os.environ, source: PassphraseSource | None = None
) -> str:
    """The passphrase of a vault that exists. SettingsError if there is no way to learn it."""
    source = source or PassphraseSource()
    passphrase = _given(environ, source) or _of_keychain(source.location)
    return passphrase if passphrase is not None else _ask("Passphrase of the vault: ")


def choose_passphrase(
    environ: Mapping[str, str] = os.environ, source: PassphraseSource | None = None
) -> str:
    """The passphrase of a new vault: given in some way, or asked for twice."""
    passphrase = _given(environ, source or PassphraseSource())
    if passphrase is None:
        passphrase = _ask("New passphrase for the vault: ")
        if _ask("The same once more: ") != passphrase:
            raise SettingsError("The two passphrases differ; nothing was made. Try again.")
    if not passphrase:
        raise SettingsError("An empty passphrase protects nothing; choose one and try again.")
    return passphrase


def _given(environ: Mapping[str, str], source: PassphraseSource) -> str | None:
    if source.file and source.command:
        raise UsageError("Give either --password-file or --password-command, not both.")
    if source.file:
        return _of_file(source.file, "--password-file")
    if source.command:
        return _of_command(source.command, "--password-command")
    if path := environ.get("NIGHTSAFE_PASSWORD_FILE"):
        return _of_file(path, "NIGHTSAFE_PASSWORD_FILE")
    if command := environ.get("NIGHTSAFE_PASSWORD_COMMAND"):
        return _of_command(command, "NIGHTSAFE_PASSWORD_COMMAND")
    return environ.get("NIGHTSAFE_PASSWORD") or None


def _of_file(path: str, origin: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="surrogateescape") as file:
            text = file.read().rstrip("\r\n")
    except OSError as error:
        raise SettingsError(
            f"The passphrase file {path} ({origin}) cannot be read: {error.strerror}."
        ) from error
    if not text:
        raise SettingsError(f"The passphrase file {path} ({origin}) is empty.")
    return text


def _of_command(command: str, origin: str) -> str:
    """What a command prints; it may ask the user something at the terminal itself."""
    import subprocess

    try:
        done = subprocess.run(_words(command), stdout=subprocess.PIPE, check=False)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise SettingsError(f"The command of {origin} cannot be run: {reason}.") from None
    if done.returncode:
        raise SettingsError(
            f"The command of {origin} ended with status {done.returncode}, so there is no "
            "passphrase. Run it by itself to see why."
        )
    text = done.stdout.decode("utf-8", "surrogateescape").rstrip("\r\n")
    if not text:
        raise SettingsError(f"The command of {origin} printed nothing, so there is no passphrase.")
    return text


def _words(command: str) -> str | list[str]:
    """A command's words; Windows takes the line as it is, with its backslashes."""
    import shlex

    return command if IS_WINDOWS else shlex.split(command)


def _of_keychain(location: str) -> str | None:
    """What the computer's keychain holds for this repository, if `keyring` is installed."""
    try:
        keyring = importlib.import_module("keyring")
    except ImportError:
        return None
    try:
        found = keyring.get_password(KEYCHAIN_SERVICE, location)
    except Exception:  # a keychain that is locked or absent, in its own words
        return None
    return found if isinstance(found, str) and found else None


def _ask(prompt: str) -> str:
    if not sys.stdin.isatty():
        raise SettingsError(
            "There is no terminal to ask for the passphrase. Set NIGHTSAFE_PASSWORD_FILE to a "
            "file that holds it, NIGHTSAFE_PASSWORD_COMMAND to a command that prints it, or "
            "NIGHTSAFE_PASSWORD."
        )
    from getpass import getpass

    return getpass(prompt)
