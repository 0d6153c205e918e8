"""Encodes responses of the control API as JSON."""

import json
from collections.abc import Mapping


class Json(str):
    """Text that is a JSON value."""

    __slots__ = ()


def dumps(answer: Mapping[str, object]) -> str:
    """Return an object as JSON; a value that is a `Json` goes in as it is."""
    parts = (
        f"{json.dumps(name)}: {value if isinstance(value, Json) else json.dumps(value)}"
        for name, value in answer.items()
    )
    return f"{{{', '.join(parts)}}}"
