"""The extensions in interpreters of their own, beside the main one and beside each other."""

import subprocess
import sys

import pytest

from backup_service.env import BASE_DIR
from tests.support.agent.extensions import NAMES, is_built
from tests.support.agent.native_uses import USES, load

SEVERAL = """
import sys, threading
try:
    import _interpreters as interpreters  # from Python 3.13 on
except ImportError:
    import _xxsubinterpreters as interpreters
from tests.support.agent.native_uses import use_all

ROUNDS, path, missing = 20, sys.path, tuple(sys.argv[1:])
work = f'''
import sys
sys.path[:] = {path!r}
from tests.support.agent.native_uses import use_all
use_all({ROUNDS}, missing={missing!r})
'''
trouble = []

def run():
    for _ in range(2):  # what one leaves behind would show in the next
        one = interpreters.create()  # from 3.12 on with a lock of its own
        try:
            failed = interpreters.run_string(one, work)
        except Exception as error:
            failed = error
        trouble.extend([failed] if failed else [])
        interpreters.destroy(one)

threads = [threading.Thread(target=run) for _ in range(3)]
for thread in threads:
    thread.start()
use_all(ROUNDS, missing=missing)
for thread in threads:
    thread.join()
use_all(ROUNDS, missing=missing)
sys.exit(f"{trouble[0]}" if trouble else 0)
"""


def missing() -> list[str]:
    """What is not built here, or is of no use on this processor."""
    found = [name for name in NAMES if not is_built(name)]
    try:
        load("_sha256_mb")
    except ImportError:
        found.append("_sha256_mb")
    return found


def test_several_interpreters_use_all_extensions_at_once() -> None:
    absent = missing()
    if len(absent) == len(USES):
        pytest.skip("no extension is built here")
    done = subprocess.run(
        [sys.executable, "-c", SEVERAL, *absent],
        cwd=BASE_DIR,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
