"""`python -m tests.soak.orders`: two uploads and a purge of one object, in every order of their
steps, and the draining of a region with a fault at every call and write. The tests draw some of
them in each run."""

import os
import subprocess
import sys

from backup_service.env import BASE_DIR

TESTS = (
    "tests/unit/storage/deletion/test_tombstones.py::test_two_uploads_and_a_purge",
    "tests/unit/storage/regions/test_drain_faults.py",
)


def main() -> int:
    """Walk them all; return the exit status."""
    command = [sys.executable, "-m", "pytest", "-q", "-o", "timeout=3600", *TESTS]
    environment = {**os.environ, "NIGHTSAFE_EVERY_ORDER": "1"}
    return subprocess.run(command, cwd=BASE_DIR, env=environment, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
