"""Checks the size of an object against the limits of its type."""

from storage.errors import RefusedError, TooLargeError, TooShortError
from storage.object_names import ObjectName


def require_sound(name: ObjectName, size: int) -> None:
    """Raise TooLargeError or TooShortError where no object of this type has `size` bytes."""
    trouble = trouble_with(name, size)
    if trouble is not None:
        raise trouble


def trouble_with(name: ObjectName, size: int) -> RefusedError | None:
    """Return why no object of this type has `size` bytes, or None if one may."""
    if size > name.size_limit:
        return TooLargeError(
            f"An object of type {name.type} has at most {name.size_limit} bytes, not {size}."
        )
    if size < name.least_size:
        return TooShortError(
            f"An object of type {name.type} has at least {name.least_size} bytes, not {size}."
        )
    return None
