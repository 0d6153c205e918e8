"""Operations that fail, or whose process is killed, at some of their calls.

The seed is drawn anew each time and printed. `python -m tests.soak.points` tries every call.
"""

import random
import subprocess
import sys

from backup_service.env import BASE_DIR


def test_nothing_acknowledged_is_lost_wherever_it_breaks() -> None:
    seed = random.SystemRandom().randrange(2**32)
    command = [sys.executable, "-m", "tests.soak.points", "--sample", "1", "--seed", str(seed)]
    done = subprocess.run(command, cwd=BASE_DIR, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    for place, times in (("directories", 12), ("s3", 15)):
        assert f"{place}: hurt {times} times; everything acknowledged is there" in done.stdout


def test_killed_workers_lose_nothing_and_another_one_finishes() -> None:
    seed = random.SystemRandom().randrange(2**32)
    command = [sys.executable, "-m", "tests.soak.workers", "--count", "10", "--seed", str(seed)]
    done = subprocess.run(command, cwd=BASE_DIR, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "10 workers killed" in done.stdout
