"""Nudges: they name a task that exists, and cost nothing when the broker is away."""

import time

import pytest

from backup_service import celery_app
from storage import nudge, tasks
from tests.storage.conftest import some


def test_the_task_they_name_exists():
    assert tasks.replicate_due.name == nudge.COPIES
    assert tasks.tell_losses.name == nudge.LOSSES
    celery_app.loader.import_default_modules()
    assert {nudge.COPIES, nudge.LOSSES} <= set(celery_app.tasks)


def test_every_tick_of_beat_names_a_task():
    celery_app.loader.import_default_modules()
    for entry in celery_app.conf.beat_schedule.values():
        assert entry["task"] in celery_app.tasks


@pytest.mark.django_db(transaction=True, serialized_rollback=True)
def test_an_upload_does_not_wait_for_a_broker_that_is_away(backup):
    begun = time.monotonic()
    assert backup.put(some()).status_code == 200
    assert time.monotonic() - begun < 5


@pytest.mark.django_db
def test_tasks_do_their_work(backup):
    backup.put(some())
    tasks.replicate_due()
    tasks.heartbeat()
    tasks.scrub_due()
    tasks.sweep()
    tasks.expire()
    from storage.models import Heartbeat, Replica

    assert Replica.objects.filter(state="stored").count() == 2
    assert Replica.objects.filter(verified_at=None).count() == 0
    assert Heartbeat.objects.get(name="worker").name == "worker"
