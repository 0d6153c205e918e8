"""The same cast as on the other pages."""

from tests.unit.website.conftest import (  # noqa: F401
    _fresh,
    account,
    alice,
    bob,
    charlie,
    client,
    laptop,
    sam,
)
