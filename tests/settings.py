"""The settings of the tests: the service's own, away from any data directory that is in use."""

import atexit
import os
import shutil
import tempfile

for _name in [name for name in os.environ if name.startswith("NIGHTSAFE_")]:
    if _name != "NIGHTSAFE_EMBEDDED":
        del os.environ[_name]
os.environ["DATA_DIR"] = tempfile.mkdtemp(prefix="nightsafe-tests-")
atexit.register(shutil.rmtree, os.environ["DATA_DIR"], ignore_errors=True)

from backup_service.settings import *  # noqa: E402, F403

# Processes that a test starts are the service itself, with the settings of the service.
os.environ["DJANGO_SETTINGS_MODULE"] = "backup_service.settings"
