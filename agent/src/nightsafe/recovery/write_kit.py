"""Makes a recovery kit: a file, and the key in the vault that it is worth something by."""

import contextlib
import os

from nightsafe.backend.base import Backend, ObjectKind
from nightsafe.crypto.seal_key import SealKey
from nightsafe.errors import SettingsError, UsageError
from nightsafe.fs.durability import sync_file, sync_folder
from nightsafe.fs.files import NEW, TO_WRITE
from nightsafe.recovery.kit import Kit, as_page, as_text
from nightsafe.repofile.key import KdfParams
from nightsafe.repository.add_key import make_key

_UNFINISHED = ".unfinished"


def write_kit(
    storage: Backend, master: SealKey, kit: Kit, path: str, *, params: KdfParams | None = None
) -> str:
    """Write a kit to a new file, and store its key; returns the key's name.

    The file is written before the key, and has its name only once the key is stored: nobody prints
    a kit that opens nothing, whatever breaks off. SettingsError or UsageError if the file cannot be
    written; the storage's errors.
    """
    require_writable(path)
    name, key_object = make_key(storage, master, kit.words, params=params)
    text = as_text(kit) if path.lower().endswith(".txt") else as_page(kit)
    unfinished = f"{path}{_UNFINISHED}"
    _write_new(unfinished, text)
    try:
        storage.save(ObjectKind.KEY, name, key_object)
        _name(unfinished, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(unfinished)
        raise
    return name


def _name(unfinished: str, path: str) -> None:
    """Give a kit its name, unless something has it by now."""
    if os.path.lexists(path):
        raise _exists(path)
    try:
        os.rename(unfinished, path)
    except OSError as error:
        raise _unwritten(path, error) from error
    with contextlib.suppress(OSError):
        sync_folder(os.path.dirname(path) or ".")


def require_writable(path: str) -> None:
    """Raise UsageError for a name that tells no form, SettingsError where it cannot be written."""
    if not path.lower().endswith((".html", ".htm", ".txt")):
        raise UsageError(
            f"{path} is neither a page nor a text; give it a name that ends in .html or .txt."
        )
    if os.path.lexists(path):
        raise _exists(path)
    folder = os.path.dirname(path) or "."
    if not os.path.isdir(folder):
        raise SettingsError(f"There is no folder {folder} for the kit; make it, or name another.")


def _write_new(path: str, text: str) -> None:
    try:
        fd = os.open(path, TO_WRITE | NEW, 0o600)
    except FileExistsError:
        raise _exists(path) from None
    except OSError as error:
        raise _unwritten(path, error) from error
    try:
        # A path that is not UTF-8 stands there as it is, so that its commands work.
        with open(fd, "w", encoding="utf-8", errors="surrogateescape", newline="") as file:
            file.write(text)
            file.flush()
            sync_file(file.fileno())
        sync_folder(os.path.dirname(path) or ".")
    except BaseException as error:
        with contextlib.suppress(OSError):
            os.unlink(path)
        if isinstance(error, OSError):
            raise _unwritten(path, error) from error
        raise


def _exists(path: str) -> SettingsError:
    return SettingsError(
        f"There is something at {path} already, and it may be an older kit. Choose another name."
    )


def _unwritten(path: str, error: OSError) -> SettingsError:
    return SettingsError(f"The kit cannot be written to {path}: {error.strerror}.")
