"""Parameters as the `stripe` library sends them: forms with names like `items[0][price]`."""

import re
from typing import Any
from urllib.parse import parse_qsl

from billing.stand_in.errors import ApiError

_PART = re.compile(r"\[([^\[\]]*)\]")
DEEPEST = 8


class Params:
    """Parameters by name. What nobody has asked for is an error, as it is with Stripe."""

    def __init__(self, given: dict[str, Any]) -> None:
        self._given = given
        self._left = set(given)

    @classmethod
    def decode(cls, form: str) -> "Params":
        """Return the parameters of a form or query. Raises ApiError."""
        found: dict[str, Any] = {}
        for name, value in parse_qsl(form, keep_blank_values=True, max_num_fields=1000):
            _put(found, _path(name), value)
        return cls(_listed(found))

    def __contains__(self, name: str) -> bool:
        return name in self._given

    def take(self, name: str) -> Any:
        """Return whatever was given, None if nothing was."""
        self._left.discard(name)
        return self._given.get(name)

    def text(self, name: str, default: str = "") -> str:
        """Return a text. Raises ApiError for anything else."""
        found = self.take(name)
        if found is not None and not isinstance(found, str):
            raise ApiError(f"Invalid string: {name}", param=name)
        return default if found is None else found

    def required(self, name: str) -> str:
        """Return a text that has to be there. Raises ApiError."""
        found = self.text(name)
        if not found:
            text = f"Missing required param: {name}."
            raise ApiError(text, code="parameter_missing", param=name)
        return found

    def integer(self, name: str, default: int = 0) -> int:
        """Return a whole number. Raises ApiError for anything else."""
        found = self.text(name)
        try:
            return int(found) if found else default
        except ValueError as error:
            text = f"Invalid integer: {found}"
            raise ApiError(text, code="parameter_invalid_integer", param=name) from error

    def boolean(self, name: str, *, default: bool = False) -> bool:
        """Return whether something is true. Raises ApiError for anything but true and false."""
        found = self.text(name)
        if found not in ("", "true", "false"):
            raise ApiError(f"Invalid boolean: {found}", param=name)
        return found == "true" if found else default

    def mapping(self, name: str) -> dict[str, Any]:
        """Return parameters under a name. Raises ApiError."""
        found = self.take(name)
        if found in (None, ""):
            return {}
        if not isinstance(found, dict):
            raise ApiError(f"Invalid object: {name}", param=name)
        return found

    def sequence(self, name: str) -> list[Any]:
        """Return a list. Raises ApiError."""
        found = self.take(name)
        if found in (None, ""):
            return []
        if not isinstance(found, list):
            raise ApiError(f"Invalid array: {name}", param=name)
        return found

    def require_all_taken(self) -> None:
        """Raise ApiError for a parameter that nothing asked for."""
        if self._left:
            name = min(self._left)
            raise ApiError(
                f"Received unknown parameter: {name}", code="parameter_unknown", param=name
            )


def _path(name: str) -> list[str]:
    head = name.partition("[")[0]
    parts = [head, *_PART.findall(name[len(head) :])]
    if not head or len(parts) > DEEPEST:
        raise ApiError(f"Invalid parameter name: {name[:80]}")
    return parts


def _put(found: dict[str, Any], path: list[str], value: str) -> None:
    for index, part in enumerate(path[:-1]):
        part = part or str(len(found))
        found = found.setdefault(part, {})
        if not isinstance(found, dict):
            raise ApiError(f"Invalid parameter: {path[index]}")
    found[path[-1] or str(len(found))] = value


def _listed(found: Any) -> Any:
    """Return a tree in which what has numbers for names is a list."""
    if not isinstance(found, dict):
        return found
    tree = {name: _listed(value) for name, value in found.items()}
    if tree and all(name.isdecimal() for name in tree):
        return [tree[name] for name in sorted(tree, key=int)]
    return tree
