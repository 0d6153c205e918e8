"""The Celery application: beat's ticks and the web's wake-ups, any of which may be lost."""

import os
from typing import Any

from celery import Celery
from celery.signals import worker_process_init, worker_ready

from backup_service.gc_tuning import keep_what_is_loaded

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "backup_service.settings")

app = Celery("nightsafe")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks(["storage"])
app.conf.beat_schedule = {
    name: {"task": f"storage.tasks.{task}", "schedule": seconds, "options": {"expires": seconds}}
    for name, task, seconds in [
        ("heartbeat", "heartbeat", 5.0),
        ("copies", "replicate_due", 5.0),
        ("replicas that are lacking", "tend_regions", 5.0),
        ("health of the regions", "look_at_regions", 30.0),
        ("read back new replicas, and old ones in turn", "scrub_due", 60.0),
        ("watch", "watch_all", 60.0),
        ("canary", "send_canary", 1800.0),
        ("marks of the catalogue", "keep_marks", 60.0),
        ("sweep", "sweep", 300.0),
        ("survey of what lies in the regions", "survey_regions", 600.0),
        ("reconcile after a jump of the clock", "reconcile_after_jump", 300.0),
        ("expire", "expire", 3600.0),
    ]
}


def announce(**about: Any) -> None:
    """Send a heartbeat when a worker starts, instead of at beat's next tick."""
    app.send_task("storage.tasks.heartbeat", retry=False)


def settle(**about: Any) -> None:
    """A worker process has loaded what it needs."""
    keep_what_is_loaded()


worker_ready.connect(announce)
worker_process_init.connect(settle)
