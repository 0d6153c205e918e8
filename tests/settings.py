"""The settings of the tests: the service's own, away from any data directory that is in use."""

import atexit
import os
import shutil
import tempfile

_KEPT = ("NIGHTSAFE_EMBEDDED", "NIGHTSAFE_SEED", "NIGHTSAFE_TEST_ROUNDS")
for _name in [name for name in os.environ if name.startswith("NIGHTSAFE_")]:
    if _name not in _KEPT:
        del os.environ[_name]
os.environ.pop("SENTRY_DSN", None)  # what breaks on purpose is nobody's concern
os.environ["DATA_DIR"] = tempfile.mkdtemp(prefix="nightsafe-tests-")
atexit.register(shutil.rmtree, os.environ["DATA_DIR"], ignore_errors=True)

_umask = os.umask(0o022)
from backup_service.settings import *  # noqa: E402, F403

os.umask(_umask)  # what a test makes is also for the other users that it tries things with

STATIC_ROOT.mkdir()  # noqa: F405  # empty: names stay plain

# Processes that a test starts are the service itself, with the settings of the service.
os.environ["DJANGO_SETTINGS_MODULE"] = "backup_service.settings"

TALLIES_EVERY = 24 * 3600.0  # so that no test makes a query that another one counted up to

# A port that nobody listens on: whatever broker this computer has is not the tests'.
CACHES["default"]["LOCATION"] = "redis://127.0.0.1:1/0"  # noqa: F405

# Signing somebody in costs a third of a second with the service's own, on purpose.
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
