"""Three hundred files that never change, amidst what comes, goes and fails: each is in each backup.

`python -m tests.soak.steady` does the same for two hundred backups.
"""

import random
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.hardship.conftest import Mount
from tests.soak.changing_folders import BrokenPledgeError, ChangingFolders


@pytest.fixture
def changing(tmp_path: Path, mount: Callable[..., Mount], chance: random.Random) -> ChangingFolders:
    return ChangingFolders(tmp_path, mount(), chance)


def test_what_never_changes_is_in_every_snapshot(changing: ChangingFolders) -> None:
    for _ in range(5):
        changing.back_up()
    changing.prove()
    assert changing.moved > 50


def test_what_is_missing_would_be_found(changing: ChangingFolders) -> None:
    """The judge is judged: of a file that is not there nothing else would be said."""
    changing.back_up()
    changing.steady[b"/nowhere/at/all"] = b""
    with pytest.raises(BrokenPledgeError, match="1 files are missing"):
        changing.back_up()
    del changing.steady[b"/nowhere/at/all"]
    changing.failing.add(b"/neither/here")
    with pytest.raises(BrokenPledgeError, match="nothing was said"):
        changing.back_up()
