"""The service's own settings with the app that fails, and with a folder as broker."""

import os

from backup_service.settings import *  # noqa: F403

INSTALLED_APPS = [*INSTALLED_APPS, "tests.support.failing"]  # noqa: F405
CELERY_IMPORTS = ["tests.support.failing.tasks"]
if "FAILING_BROKER" in os.environ:
    CELERY_BROKER_URL = "filesystem://"
    CELERY_BROKER_TRANSPORT_OPTIONS: dict[str, object] = {  # type: ignore[no-redef]
        "data_folder_in": os.environ["FAILING_BROKER"],
        "data_folder_out": os.environ["FAILING_BROKER"],
        "control_folder": os.environ["FAILING_BROKER"],
    }
