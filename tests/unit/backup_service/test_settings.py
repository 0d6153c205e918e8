"""What the tests take from the environment they are started in."""

import os
import subprocess
import sys

from backup_service.env import BASE_DIR


def test_a_seed_that_was_printed_repeats_a_failure() -> None:
    """Variables of the service are hidden from tests; those that steer tests are not."""
    told = {"NIGHTSAFE_SEED": "5", "NIGHTSAFE_TEST_ROUNDS": "7", "NIGHTSAFE_ROLE": "gateway"}
    code = f"import os, tests.settings; print(*map(os.environ.get, {tuple(told)}))"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | told,
        cwd=BASE_DIR,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == ["5", "7", "None"]


def test_they_are_in_force() -> None:
    """Whatever DJANGO_SETTINGS_MODULE says, as it does beneath whoever imports the service."""
    assert "tests.settings" in sys.modules
