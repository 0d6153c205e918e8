"""What a worker loads as it starts: its tasks, and nothing that only the website needs."""

import subprocess
import sys

from backup_service.env import BASE_DIR

STARTED = """
import sys
from celery.apps.worker import Worker
from celery.signals import celeryd_init, import_modules, worker_init
from backup_service.celery import app

celeryd_init.send(sender="worker", instance=None, conf=app.conf, options={})
import_modules.send(sender=app)
worker_init.send(sender=None)
assert "storage.tasks.replicate_due" in app.tasks
print(*sorted(sys.modules))
"""


def test_a_worker_loads_no_pages() -> None:
    """They are a quarter of its memory and of the time that its start takes."""
    command = [sys.executable, "-c", STARTED]
    done = subprocess.run(command, cwd=BASE_DIR, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    loaded = set(done.stdout.split())
    assert "storage.tasks" in loaded
    assert "backup_service.urls" not in loaded
