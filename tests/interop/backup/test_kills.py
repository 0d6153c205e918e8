"""A client killed at any moment loses nothing and leaves nothing lying about."""

import random
from pathlib import Path

import pytest

from tests.interop.conftest import find_restic
from tests.soak.trial import Trial, kill_backups, kill_prunes
from tests.support.gateway import Gateway

pytestmark = pytest.mark.interop
KILLS = 4  # `make soak` makes it hundreds


def new_trial(gateway: Gateway, alice: str, place: Path, scope: str) -> Trial:
    seed = random.SystemRandom().randrange(2**32)
    print(f"seed {seed}")
    holder = gateway.vault(alice, name=scope, scope=scope)
    return Trial(holder, place, find_restic(), random.Random(seed))


@pytest.mark.any_restic
def test_killed_backups(gateway: Gateway, alice: str, tmp_path: Path) -> None:
    trial = new_trial(gateway, alice, tmp_path, "backup")
    kill_backups(trial, KILLS)
    assert trial.kills >= KILLS


@pytest.mark.any_restic
def test_killed_prunes(gateway: Gateway, alice: str, tmp_path: Path) -> None:
    trial = new_trial(gateway, alice, tmp_path, "maintain")
    kill_prunes(trial, KILLS)
    assert trial.kills >= KILLS
