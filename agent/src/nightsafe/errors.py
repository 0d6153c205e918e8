"""The agent's exceptions: one family, whose messages say what to do.

Each message is one plain line that says what happened and what to do next. No message contains a
passphrase, a credential's secret or a key.
"""


class NightsafeError(Exception):
    """Base of all errors; `exit_code` is the command's exit status."""

    exit_code = 1


class UsageError(NightsafeError):
    """The command line is invalid."""


class SettingsError(NightsafeError):
    """A setting is missing or invalid: repository, credential, passphrase, patience."""


class PassphraseError(NightsafeError):
    """The passphrase opens no key of the repository."""


class WeakKeyError(NightsafeError):
    """A key's scrypt cost is too high, or too low for a new key; refused before deriving."""


class DamagedError(NightsafeError):
    """Stored bytes are invalid: their MAC, hash, length or structure is wrong."""


class UnsupportedError(NightsafeError):
    """The data was written by a newer program."""


class SnapshotNotFoundError(NightsafeError):
    """No snapshot, or more than one, matches."""


class WorkerError(NightsafeError):
    """A worker process ended before its work was done."""


class ResourceError(NightsafeError):
    """This computer lacks a resource, such as memory."""


class RefusedError(NightsafeError):
    """The operation would endanger intact data; nothing was changed."""


class LockedError(NightsafeError):
    """Another program holds a conflicting lock."""


class LockLostError(NightsafeError):
    """Our own lock could not be refreshed in time and may be stale to others."""


class SourceError(NightsafeError):
    """None of the sources could be read."""


class TreeError(NightsafeError):
    """A tree about to be stored was incomplete; it was not stored."""


class RestoreError(NightsafeError):
    """The target cannot be restored to."""


class TargetFullError(RestoreError):
    """The disk of the restore's target is full."""


class StorageError(NightsafeError):
    """Base of all errors of storage backends."""


class ObjectNotFoundError(StorageError):
    """The object, or the whole vault, does not exist."""


class NoCopyError(StorageError):
    """The object exists, but no copy of it can be read at present."""


class ObjectExistsError(StorageError):
    """A different object is stored under this name."""


class AccessRefusedError(StorageError):
    """The credential is wrong, revoked or not permitted to do this."""


class StaleIndexError(StorageError):
    """The loaded index is out of date: another device has pruned since."""


class QuotaError(StorageError):
    """The plan's storage is used up."""


class TooLargeError(StorageError):
    """An object is larger than the storage accepts."""


class StorageFullError(StorageError):
    """The repository's disk is full."""


class UnreachableError(StorageError):
    """There was no usable response within the patience."""


def ended(text: object) -> str:
    """End a text, such as another program's message, as a sentence."""
    said = str(text).rstrip()
    return said if said.endswith((".", "!", "?", "…")) else f"{said}."


def revived(name: str, text: str, *, otherwise: NightsafeError) -> NightsafeError:
    """Recreate another process's error from its class name and message, else `otherwise`."""
    kind = globals().get(name)
    if isinstance(kind, type) and issubclass(kind, NightsafeError):
        return kind(text)
    return otherwise
