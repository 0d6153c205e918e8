"""A database that has all tables and nothing else, made once by a run of the tests, and copied."""

import atexit
import functools
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from backup_service.env import BASE_DIR

DATABASE = "nightsafe.sqlite3"  # its name in a data directory
QUIET = {"NIGHTSAFE_LOG_LEVEL": "ERROR", "NIGHTSAFE_BROKER_URL": "redis://127.0.0.1:1/0"}


def lay(data_dir: Path) -> None:
    """Copy the database into a data directory, for its owner only as the service's own is."""
    shutil.copyfile(_once(), data_dir / DATABASE)
    (data_dir / DATABASE).chmod(0o600)


def make(environment: dict[str, str]) -> None:
    """Make all tables in the database that an environment names."""
    env = {**os.environ, **QUIET, "NIGHTSAFE_EMBEDDED": "1", **environment}
    for command in (["migrate", "-v0"], ["createcachetable"]):
        subprocess.run([sys.executable, "manage.py", *command], cwd=BASE_DIR, env=env, check=True)


@functools.cache
def _once() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="nightsafe-tables-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    make({"DATA_DIR": str(folder)})
    return folder / DATABASE
