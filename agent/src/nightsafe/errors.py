"""The agent's exceptions: one family, each with a text that says what to do.

The message of each is one plain line that says what happened and what to do next. No
message holds a passphrase, a credential's secret or a key.
"""


class NightsafeError(Exception):
    """Base of the family; `exit_code` is what the command ends with."""

    exit_code = 1


class UsageError(NightsafeError):
    """The command line asks for something that makes no sense."""


class SettingsError(NightsafeError):
    """A setting is missing or wrong: repository, credential, passphrase, patience."""


class PassphraseError(NightsafeError):
    """No key of the repository opens with this passphrase."""


class WeakKeyError(NightsafeError):
    """A key asks for too much scrypt work, or a new one for too little; refused before deriving."""


class DamagedError(NightsafeError):
    """Stored bytes are not what they claim to be: MAC, hash, length or shape is wrong."""


class UnsupportedError(NightsafeError):
    """Written by a newer program than this one."""


class SnapshotNotFoundError(NightsafeError):
    """No snapshot, or more than one, matches what was asked for."""


class WorkerError(NightsafeError):
    """A worker process ended before its work was done."""


class ResourceError(NightsafeError):
    """This computer lacks what the work needs, such as memory."""


class RefusedError(NightsafeError):
    """Going on would put at risk what is still sound; nothing was changed."""


class LockedError(NightsafeError):
    """Another program holds a lock that excludes this operation."""


class LockLostError(NightsafeError):
    """Our own lock could not be refreshed in time, so nothing may rely on it any more."""


class SourceError(NightsafeError):
    """Nothing of what should be backed up could be read."""


class TreeError(NightsafeError):
    """The list of a folder's entries, about to be stored, is not whole; nothing of it was."""


class RestoreError(NightsafeError):
    """The target cannot take the restored files."""


class TargetFullError(RestoreError):
    """The disk that the restore writes to is full."""


class StorageError(NightsafeError):
    """Base of everything that a place of storage may answer instead of success."""


class ObjectNotFoundError(StorageError):
    """The object, or the whole vault, does not exist there."""


class NoCopyError(StorageError):
    """The object is there, but none of its copies can be read now; later one may be."""


class ObjectExistsError(StorageError):
    """Another object already stands under this name."""


class AccessRefusedError(StorageError):
    """The credential is wrong, revoked or not allowed to do this."""


class StaleIndexError(StorageError):
    """The index that was read is out of date: another device pruned since."""


class QuotaError(StorageError):
    """The plan's storage is used up."""


class TooLargeError(StorageError):
    """One object is larger than the storage takes."""


class StorageFullError(StorageError):
    """The disk under the repository is full."""


class UnreachableError(StorageError):
    """No usable answer within the patience given."""


def ended(text: object) -> str:
    """A text, such as another's message, as a sentence that more may follow."""
    said = str(text).rstrip()
    return said if said.endswith((".", "!", "?", "…")) else f"{said}."


def revived(name: str, text: str, *, otherwise: NightsafeError) -> NightsafeError:
    """An error that another process met, by its class and message; `otherwise` if none of ours."""
    kind = globals().get(name)
    if isinstance(kind, type) and issubclass(kind, NightsafeError):
        return kind(text)
    return otherwise
