"""Finds the vault's passphrase: file, command, environment, kept, keychain or terminal.

It is never an option's value, which every user of the computer could see.

It is read as stock restic reads it: as bytes; of files and commands without surrounding white
space; of files also as UTF-16 or with a byte-order mark. Earlier versions of the agent stripped
line ends only, and decoded typed text by the locale; that reading is tried second, so vaults made
that way still open.
"""

import importlib
import os
import re
import sys
from collections.abc import Callable, Mapping
from typing import NamedTuple

from nightsafe.errors import SettingsError, UsageError
from nightsafe.fs.files import IS_WINDOWS
from nightsafe.repofile.go_space import BLANKS

KEYCHAIN_SERVICE = "nightsafe"
"""The keychain entry's service; its user is the repository's address."""

_LARGEST = 1 << 20
_WORDS_LIKE = re.compile(r"\W*(?:\w+\W+){11}")
"""What has as many words as a recovery kit, or more."""


class PassphraseSource(NamedTuple):
    """A file or command given by options. `location` is the repository's."""

    file: str | None = None
    command: str | None = None
    location: str = ""


class Passphrase(NamedTuple):
    """A passphrase as stock restic reads it, and alternative readings of it.

    Bytes that are not UTF-8 are lone surrogates.
    """

    text: str
    others: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return "Passphrase()"  # keeps the passphrase out of logs

    @classmethod
    def of(cls, text: str, *others: str) -> "Passphrase":
        """Make a passphrase of distinct readings, without empty ones unless all are."""
        readings = [one for one in dict.fromkeys((text, *others)) if one] or [""]
        return cls(readings[0], tuple(readings[1:]))


def find_passphrase(
    environ: Mapping[str, str] = os.environ,
    source: PassphraseSource | None = None,
    *,
    before_asking: Callable[[], object] = lambda: None,
) -> Passphrase:
    """Return the passphrase of an existing vault. SettingsError if there is no way to get it.

    `before_asking` is called before anybody has to type it, and may raise.
    """
    source = source or PassphraseSource()
    passphrase = (
        _given(environ, source) or _kept(source.location, environ) or _of_keychain(source.location)
    )
    if passphrase is not None:
        return _or_words(passphrase)
    _require_terminal()
    before_asking()
    return _or_words(_ask("Passphrase of the vault: "))


def _or_words(passphrase: Passphrase) -> Passphrase:
    """Add the reading of a passphrase as a kit's recovery words, if it is that."""
    if not _WORDS_LIKE.match(passphrase.text):
        return passphrase
    from nightsafe.settings.recovery_words import read_words

    try:
        return Passphrase.of(passphrase.text, read_words(passphrase.text), *passphrase.others)
    except SettingsError:
        return passphrase


def choose_passphrase(
    environ: Mapping[str, str] = os.environ,
    source: PassphraseSource | None = None,
    *,
    warn: Callable[[str], None] = lambda text: None,
) -> str:
    """Return the passphrase for a new vault: given in some way, or typed twice.

    `warn` is told if it is easy to guess; who typed it may then type another one.
    SettingsError if it is empty, or could not be typed on another computer.
    """
    passphrase = _given(environ, source or PassphraseSource())
    if passphrase is not None:
        return _judged(passphrase, warn)[0]
    _require_terminal()
    typed = _ask("New passphrase for the vault: ")
    chosen, is_weak = _judged(typed, warn)
    while is_weak:
        another = _ask("Another passphrase, or Enter to keep this one: ")
        if not another.text:
            break
        typed = another
        chosen, is_weak = _judged(typed, warn)
    if _ask("The same once more: ") != typed:
        raise SettingsError("The two passphrases differ; nothing was made. Try again.")
    return chosen


def _judged(passphrase: Passphrase, warn: Callable[[str], None]) -> tuple[str, bool]:
    """Return the reading that is used for a new vault, and whether it is easy to guess."""
    from nightsafe.settings.strength import weakness

    reading = _typable(passphrase)
    text = weakness(reading)
    if text:
        warn(text)
    return reading, bool(text)


def _typable(passphrase: Passphrase) -> str:
    """Return the reading that is used for a new vault. SettingsError if nobody could type it."""
    if not passphrase.text.strip(BLANKS):
        raise SettingsError("An empty passphrase protects nothing; choose one and try again.")
    from nightsafe.settings.typable import is_typable  # needed here only

    for reading in (passphrase.text, *passphrase.others):
        if is_typable(reading):
            return reading
    raise SettingsError(
        "Nobody could type this passphrase when the vault is needed at another computer: it has "
        "several lines, control characters, a byte-order mark within, or bytes that are not UTF-8. "
        "Choose one line of text, saved as UTF-8; nothing was made."
    )


def _given(environ: Mapping[str, str], source: PassphraseSource) -> Passphrase | None:
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
    if text := environ.get("NIGHTSAFE_PASSWORD"):
        return _of_locale(os.fsencode(text))
    return None


def _of_locale(raw: bytes) -> Passphrase:
    """Read typed bytes, or an environment variable's; the alternative is by the locale."""
    return Passphrase.of(_text(raw), os.fsdecode(raw))


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "surrogateescape")


def _of_file(path: str, origin: str) -> Passphrase:
    try:
        with open(path, "rb") as file:
            raw = file.read(_LARGEST + 1)
    except OSError as error:
        raise SettingsError(
            f"The passphrase file {path} ({origin}) cannot be read: {error.strerror}."
        ) from error
    if len(raw) > _LARGEST:
        raise SettingsError(f"The passphrase file {path} ({origin}) is larger than 1 MiB.")
    earlier = _text(raw).replace("\r\n", "\n").replace("\r", "\n").rstrip("\n")
    passphrase = Passphrase.of(_decode(raw).strip(BLANKS), earlier)
    if not passphrase.text:
        raise SettingsError(f"The passphrase file {path} ({origin}) is empty.")
    return passphrase


def _decode(raw: bytes) -> str:
    """Decode a file's text by its byte-order mark, which is removed."""
    if raw.startswith(b"\xef\xbb\xbf"):
        return _text(raw[3:])
    if raw.startswith((b"\xfe\xff", b"\xff\xfe")):
        return raw.decode("utf-16", "replace")
    return _text(raw)


def _of_command(command: str, origin: str) -> Passphrase:
    """Return a command's output; the command itself may prompt at the terminal."""
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
    text = _text(done.stdout)
    passphrase = Passphrase.of(text.strip(BLANKS), text.rstrip("\r\n"))
    if not passphrase.text:
        raise SettingsError(f"The command of {origin} printed nothing, so there is no passphrase.")
    return passphrase


def _words(command: str) -> str | list[str]:
    """Split a command line; Windows takes it whole, with its backslashes."""
    import shlex

    return command if IS_WINDOWS else shlex.split(command)


def _kept(location: str, environ: Mapping[str, str]) -> Passphrase | None:
    """Return the passphrase that `nightsafe setup` has kept for this repository."""
    from nightsafe.settings.kept_passphrase import kept_passphrase

    found = kept_passphrase(location, environ) if location else None
    return Passphrase(found) if found else None


def _of_keychain(location: str) -> Passphrase | None:
    """Return the passphrase in the computer's keychain, if `keyring` is installed."""
    try:
        keyring = importlib.import_module("keyring")
        found = keyring.get_password(KEYCHAIN_SERVICE, location)
    except (
        Exception
    ):  # not installed, locked, absent, without a home: each backend has its own errors
        return None
    return Passphrase(found) if isinstance(found, str) and found else None


def _require_terminal() -> None:
    if not sys.stdin.isatty():
        raise SettingsError(
            "There is no terminal to ask for the passphrase. Set NIGHTSAFE_PASSWORD_FILE to a "
            "file that holds it, NIGHTSAFE_PASSWORD_COMMAND to a command that prints it, or "
            "NIGHTSAFE_PASSWORD."
        )


def _ask(prompt: str) -> Passphrase:
    from nightsafe.settings.hidden_input import ask_hidden

    try:
        return _of_locale(ask_hidden(prompt))
    except EOFError:
        raise SettingsError("No passphrase was typed; nothing was done.") from None
