"""Keeps the vault's passphrase on this computer, for an agent that runs by itself.

It lies in a file that only its user may read, beside the credential, and is used for the
repository that it was kept for alone. It protects what is stored elsewhere: whoever can read this
file can read the files that are backed up.
"""

import contextlib
import json
import os
import stat
from collections.abc import Mapping

from nightsafe.errors import SettingsError
from nightsafe.fs.durability import read_file, replace_file
from nightsafe.fs.files import IS_WINDOWS
from nightsafe.settings.login import NOWHERE, config_dir

_LARGEST = 1 << 20
_OTHERS = stat.S_IRWXG | stat.S_IRWXO


def kept_path(environ: Mapping[str, str] = os.environ) -> str:
    """Return where the passphrase is kept, if it is."""
    return os.path.join(config_dir(environ), "passphrase.json")


def keep_passphrase(passphrase: str, location: str, environ: Mapping[str, str] = os.environ) -> str:
    """Keep the passphrase of the repository at `location`; returns the file's path.

    SettingsError if it cannot be written.
    """
    path = kept_path(environ)
    if path.startswith(NOWHERE):
        raise SettingsError(
            "This user has no home folder, so no passphrase can be kept. Set NIGHTSAFE_CONFIG_DIR "
            "to a folder for it."
        )
    try:
        replace_file(path, json.dumps({"repository": location, "passphrase": passphrase}))
    except OSError as error:
        raise SettingsError(
            f"The passphrase cannot be kept in {path}: {error.strerror}."
        ) from error
    return path


def kept_passphrase(location: str, environ: Mapping[str, str] = os.environ) -> str | None:
    """Return the passphrase that is kept for the repository at `location`; None if none is.

    SettingsError if others may read the file, or it cannot be read itself.
    """
    path = kept_path(environ)
    try:
        raw = read_file(path, _LARGEST)
        _require_private(path, os.stat(path))
        fields = json.loads(raw)
        repository, passphrase = fields["repository"], fields["passphrase"]
    except (FileNotFoundError, NotADirectoryError):
        return None
    except PermissionError:
        return None  # HOME is another user's
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        raise SettingsError(
            f"The passphrase that is kept in {path} cannot be read. Remove that file, and run "
            "`nightsafe setup` again."
        ) from None
    if repository != location or not isinstance(passphrase, str) or not passphrase:
        return None
    return passphrase


def why_kept(passphrase: str, location: str, environ: Mapping[str, str] = os.environ) -> str:
    """Return in a sentence that a wrong passphrase is the one that is kept; empty if it is not."""
    try:
        if kept_passphrase(location, environ) != passphrase:
            return ""
    except SettingsError:
        return ""
    return f"It is the one that is kept in {kept_path(environ)}; remove that file to be asked."


def forget_passphrase(environ: Mapping[str, str] = os.environ) -> None:
    """Remove what is kept; no error if nothing is. OSError if it stays."""
    with contextlib.suppress(FileNotFoundError, NotADirectoryError):
        os.unlink(kept_path(environ))


def _require_private(path: str, status: os.stat_result) -> None:
    if not IS_WINDOWS and status.st_mode & _OTHERS:
        raise SettingsError(
            f"Others may read {path}, in which the vault's passphrase is kept. Run `chmod 600` on "
            "it, and think of another passphrase if somebody may have read it."
        )
