"""Reads files of TOML that people write: whole, or with a sentence that says what is wrong."""

import tomllib
from typing import Any

from nightsafe.errors import SettingsError

_LARGEST = 1 << 20  # bytes


def read_text(path: str) -> str:
    """Return a file's text. SettingsError if it cannot be read.

    FileNotFoundError or NotADirectoryError where there is none, which may be no error.
    """
    try:
        with open(path, "rb") as file:
            raw = file.read(_LARGEST + 1)
    except (FileNotFoundError, NotADirectoryError):
        raise
    except OSError as error:
        raise SettingsError(f"{path} cannot be read: {error.strerror}.") from error
    if len(raw) > _LARGEST:
        raise SettingsError(f"{path} is larger than 1 MiB.")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise SettingsError(f"{path} is not UTF-8; save it as that.") from None


def parse_toml(path: str, text: str) -> dict[str, Any]:
    """Return what a text says; `path` is where it stands. SettingsError if it is no TOML."""
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"{path} cannot be understood: {error}.") from None


def read_toml(path: str) -> dict[str, Any]:
    """Return what a file says. SettingsError, also where there is none."""
    try:
        text = read_text(path)
    except OSError as error:
        raise SettingsError(f"{path} cannot be read: {error.strerror}.") from error
    return parse_toml(path, text)
