"""The Celery application: beat's ticks and the web's wake-ups, any of which may be lost."""

import os
from logging.config import dictConfig
from typing import Any

from celery import Celery
from celery.signals import setup_logging, worker_process_init, worker_ready
from django.conf import settings

from backup_service.gc_tuning import keep_what_is_loaded

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "backup_service.settings")
# Django's checks load every page of the website, which no worker shows: they are run before, by
# whatever prepares the service or deploys it.
os.environ.setdefault("CELERY_SKIP_CHECKS", "1")

app = Celery("nightsafe")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks(["accounts", "billing", "storage"])
app.conf.beat_schedule = {
    name: {"task": task, "schedule": seconds, "options": {"expires": seconds}}
    for name, task, seconds in [
        ("heartbeat", "storage.tasks.heartbeat", 5.0),
        ("copies", "storage.tasks.replicate_due", 5.0),
        ("replicas that are lacking", "storage.tasks.tend_regions", 5.0),
        ("mails", "accounts.tasks.deliver_mails", 5.0),
        ("notices to customers' systems", "accounts.tasks.deliver_to_endpoints", 5.0),
        ("notices to systems that fail", "accounts.tasks.deliver_to_failing_endpoints", 5.0),
        ("what Stripe has sent", "billing.tasks.work_off_events", 5.0),
        ("customers of Stripe's, each once a day", "billing.tasks.reconcile_customers", 60.0),
        ("what closed accounts have with Stripe", "billing.tasks.end_payments", 30.0),
        ("payments that failed", "billing.tasks.tend_unpaid", 300.0),
        ("health of the regions", "storage.tasks.look_at_regions", 30.0),
        ("read back new replicas, and old ones in turn", "storage.tasks.scrub_due", 60.0),
        ("watch", "storage.tasks.watch_all", 60.0),
        ("what customers should know", "storage.tasks.tell_customers", 60.0),
        ("probe of the mail server, once a day", "storage.tasks.probe_mail", 1800.0),
        ("canary", "storage.tasks.send_canary", 1800.0),
        ("marks of the catalogue", "storage.tasks.keep_marks", 60.0),
        ("sweep", "storage.tasks.sweep", 300.0),
        ("survey of what lies in the regions", "storage.tasks.survey_regions", 600.0),
        ("reconcile after a jump of the clock", "storage.tasks.reconcile_after_jump", 300.0),
        ("forget programs' old requests", "accounts.tasks.drop_old_requests", 3600.0),
        ("forget sessions that are over", "accounts.tasks.drop_old_sessions", 3600.0),
        ("seal the audit log", "accounts.tasks.seal_audit_log", 60.0),
        ("compare counts with rows, once a day", "storage.tasks.recount", 600.0),
        ("expire", "storage.tasks.expire", 3600.0),
        ("samples of what is used", "storage.tasks.sample_use", 600.0),
        ("vaults that are to go", "storage.tasks.delete_vaults", 60.0),
        ("undelete", "storage.tasks.undelete", 10.0),
        ("closed accounts", "storage.tasks.erase_closed", 30.0),
        ("accounts that nobody uses", "storage.tasks.tend_unused", 3600.0),
    ]
}


def announce(**about: Any) -> None:
    """Send a heartbeat when a worker starts, instead of at beat's next tick."""
    app.send_task("storage.tasks.heartbeat", retry=False)


def settle(**about: Any) -> None:
    """A worker process has loaded what it needs."""
    keep_what_is_loaded()


def keep_our_logs(**about: Any) -> None:
    """Log as the settings say; Celery would put a form of its own in its place."""
    dictConfig(settings.LOGGING)


setup_logging.connect(keep_our_logs)
worker_ready.connect(announce)
worker_process_init.connect(settle)
