"""Three hundred files that never change, amidst what comes, goes and fails: each is in each backup.

`python -m tests.soak.steady` does the same for two hundred backups.
"""

import random
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.hardship.conftest import Mount
from tests.soak.turmoil import BrokenPledgeError, Turmoil


@pytest.fixture
def turmoil(tmp_path: Path, mount: Callable[..., Mount], chance: random.Random) -> Turmoil:
    return Turmoil(tmp_path, mount(), chance)


def test_what_never_changes_is_in_every_snapshot(turmoil: Turmoil) -> None:
    for _ in range(5):
        turmoil.back_up()
    turmoil.prove()
    assert turmoil.moved > 50


def test_what_is_missing_would_be_found(turmoil: Turmoil) -> None:
    """The judge is judged: of a file that is not there nothing else would be said."""
    turmoil.back_up()
    turmoil.steady[b"/nowhere/at/all"] = b""
    with pytest.raises(BrokenPledgeError, match="1 files are missing"):
        turmoil.back_up()
    del turmoil.steady[b"/nowhere/at/all"]
    turmoil.failing.add(b"/neither/here")
    with pytest.raises(BrokenPledgeError, match="nothing was said"):
        turmoil.back_up()
